"""Segments: features and scaling, the choice of k, K-Means, matching from night to night, names and briefs."""
