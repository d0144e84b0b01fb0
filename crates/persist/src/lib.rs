//! Files of the store.
