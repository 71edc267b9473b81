"""The torch workshop: networks, data and views, methods, the loop. Only workers enter it."""
