"""What a station and the collector say to each other. Both import it; it imports neither."""
