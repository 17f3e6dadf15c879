"""Cross-border e-commerce reform and firm innovation (Shi and Yu 2023)."""
