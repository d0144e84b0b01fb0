//! Elements of collections in replies.

use engine::Element;
use resp::Reply;

/// Writes an element as a string.
#[inline]
pub(crate) fn reply_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Int(n) => reply.bulk_int(n),
        Element::Double(d) => reply.double(d),
    }
}
