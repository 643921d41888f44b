"""The lab: the real servers that MeshUI and its emulator are judged by."""
