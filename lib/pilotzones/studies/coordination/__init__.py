"""Cross-border e-commerce pilot zones and regional coordination (Zhang et al. 2023)."""
