"""Helper library of the replication book on China's cross-border e-commerce pilot zones."""
