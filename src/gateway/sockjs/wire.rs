//! WebSockets that are read, and not only passed on.

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Bytes that are read at once.
const READ: usize = 16 * 1024;

/// How much there may be at a time.
pub(super) fn config(largest: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(0)
        .max_write_buffer_size(usize::MAX)
        .max_message_size(Some(largest))
        .max_frame_size(Some(largest))
}

/// A code that may be said aloud.
pub(super) fn code(given: u16) -> u16 {
    match given {
        1000..=1003 | 1007..=1014 | 3000..=4999 => given,
        _ => 1000,
    }
}
