"""See what an image classifier looks at, correct it by drawing, retrain it to look there, prove that it does."""
