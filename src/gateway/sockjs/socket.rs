//! A line that a WebSocket carries.

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message as Wire, Role};

use super::framing::{Close, Frame};
use super::json;
use super::lines::Session;
use super::receive;
use super::serve::LARGEST;
use super::talk::Receiver;
use super::wire;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Says why there is no line, and ends.
pub(super) async fn refuse(upgrade: OnUpgrade, close: Close) {
    let Ok(upgraded) = upgrade.await else {
        return;
    };
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let last = goodbye(&close);
    for frame in [Frame::Open, Frame::Close(close)] {
        if socket.send(Wire::text(frame.text())).await.is_err() {
            return;
        }
    }
    drop(socket.close(Some(last)).await);
}

/// Carries a line until it or the visitor ends.
pub(super) async fn carry(upgrade: OnUpgrade, session: Session, receiver: Receiver) {
    // A visitor who went away before the answer gets none.
    if let Ok(upgraded) = upgrade.await {
        let config = Some(wire::config(LARGEST));
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, config).await;
        let (sink, stream) = socket.split();
        tokio::select! {
            () = down(&session, receiver, sink) => {}
            () = up(&session, stream) => {}
        }
    }
    session.line.end(session.ticket, receiver, false);
}

/// Sends frames.
async fn down(session: &Session, receiver: Receiver, mut sink: SplitSink<Socket, Wire>) {
    loop {
        let frame = receive::frame(session, receiver).await;
        if sink.send(Wire::text(frame.text())).await.is_err() {
            return;
        }
        if let Frame::Close(close) = frame {
            drop(sink.send(Wire::Close(Some(goodbye(&close)))).await);
            return;
        }
    }
}

/// Who does not read frames learns of a restart as at any other WebSocket.
fn goodbye(close: &Close) -> CloseFrame {
    let code = if close.code == 1012 {
        CloseCode::Restart
    } else {
        CloseCode::Normal
    };
    CloseFrame {
        code,
        reason: "".into(),
    }
}

/// Takes messages. What is none ends it.
async fn up(session: &Session, mut stream: SplitStream<Socket>) {
    while let Some(Ok(message)) = stream.next().await {
        let text = match &message {
            Wire::Text(text) if text.is_empty() => continue,
            Wire::Text(text) => text.as_str(),
            Wire::Ping(_) | Wire::Pong(_) => continue,
            _ => return,
        };
        let Ok(messages) = json::messages(text) else {
            return;
        };
        for message in messages {
            if session.line.deliver(session.ticket, message).await.is_err() {
                // The other direction says why.
                return std::future::pending().await;
            }
        }
    }
}
