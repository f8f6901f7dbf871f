"""The whole house: both doors of one process, put together where neither knows of the other."""
