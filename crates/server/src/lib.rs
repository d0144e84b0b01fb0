//! All that touches the operating system.
