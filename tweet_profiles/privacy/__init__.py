"""What may be stored of a person: pseudonyms, coarse values, and who must not come back."""
