"""Front doors: recordings in, what is wrong and how sure out."""
