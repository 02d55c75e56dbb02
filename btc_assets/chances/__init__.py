"""What people ask of a price: chances of events, from paths whose marginals are the issued quantiles."""
