"""Cross-border e-commerce and the quality of exports by listed firms, 商业经济研究 2023 (23)."""
