"""Sentiment and subjectivity of tweets: text preparation, the two-headed encoder, training and scoring."""
