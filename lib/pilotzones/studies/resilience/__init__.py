"""Cross-border e-commerce pilot zones and the economic resilience of cities (Huang et al. 2025)."""
