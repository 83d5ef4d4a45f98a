"""Tables of keypoints in, tables of body parameters out."""
