"""One function a format; none of them knows how a verdict is reached."""
