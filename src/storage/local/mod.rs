//! Floor 1: files.
