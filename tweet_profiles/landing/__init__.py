"""The landing zone: a tweet's one form, batches of them on disk, and tables of batches."""
