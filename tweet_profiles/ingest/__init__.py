"""How tweets come in: the X API, archive files, the bundled sample, and the landing zone they all end in."""
