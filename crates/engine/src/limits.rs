//! The limits by which the names of encodings go: the `*-max-*` directives.

/// What the configuration says of encodings; the defaults are Redis's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most fields of a hash that is called `listpack` (`hash-max-listpack-entries`).
    pub hash_max_listpack_entries: u64,
    /// Most bytes of its fields and values (`hash-max-listpack-value`).
    pub hash_max_listpack_value: u64,
    /// Size of a list that is called `listpack`: items, or, when negative, -1 to -5 for 4 to 64 KiB
    /// (`list-max-listpack-size`).
    pub list_max_listpack_size: i64,
    /// Most members of a set that is called `intset` (`set-max-intset-entries`).
    pub set_max_intset_entries: u64,
    /// Most members of a set that is called `listpack` (`set-max-listpack-entries`).
    pub set_max_listpack_entries: u64,
    /// Most bytes of its members (`set-max-listpack-value`).
    pub set_max_listpack_value: u64,
    /// Most members of a sorted set that is called `listpack` (`zset-max-listpack-entries`).
    pub zset_max_listpack_entries: u64,
    /// Most bytes of its members (`zset-max-listpack-value`).
    pub zset_max_listpack_value: u64,
    /// Bytes of a stream's node (`stream-node-max-bytes`); 0: without a limit.
    pub stream_node_max_bytes: u64,
    /// Entries of a stream's node (`stream-node-max-entries`); 0: without a limit.
    pub stream_node_max_entries: u64,
    /// Most bytes of a sparse HyperLogLog (`hll-sparse-max-bytes`).
    pub hll_sparse_max_bytes: u64,
}

impl Limits {
    /// Redis's defaults.
    pub const DEFAULT: Limits = Limits {
        hash_max_listpack_entries: 512,
        hash_max_listpack_value: 64,
        list_max_listpack_size: -2,
        set_max_intset_entries: 512,
        set_max_listpack_entries: 128,
        set_max_listpack_value: 64,
        zset_max_listpack_entries: 128,
        zset_max_listpack_value: 64,
        stream_node_max_bytes: 4096,
        stream_node_max_entries: 100,
        hll_sparse_max_bytes: 3000,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
