//! Elements of collections in replies.

use engine::Element;
use resp::Reply;

/// Most elements that a reply names repeatedly.
pub(crate) const REPEATED_MAX: u64 = 1 << 26;

/// Writes an element as a string.
#[inline]
pub(crate) fn reply_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Int(n) => reply.bulk_int(n),
        Element::Double(d) => reply.double(d),
    }
}
