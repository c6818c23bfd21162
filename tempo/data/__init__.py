"""Floor 1: incidents with their defects, the window in which they were watched for, and counts."""
