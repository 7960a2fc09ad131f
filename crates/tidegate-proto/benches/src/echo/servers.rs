//! The servers. Each crate is driven in the way that costs it least: everything that has arrived is answered before
//! anything is flushed, where the crate lets us.

mod tidegate;

use crate::Failure;
use futures_util::{FutureExt as _, Sink, SinkExt as _, Stream, StreamExt as _};
use std::net::Ipv4Addr;
use tidegate_proto::deflate::Context;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The columns of the table. The first is what the others are compared with.
pub const NAMES: [&str; 6] =
    ["tidegate-proto", "tokio-tungstenite", "fastwebsockets", "tokio-websockets", "sockudo-ws", "yawc"];

/// permessage-deflate, both ways with the largest window, level 6 and no threshold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Deflate {
    /// Each message by itself.
    Fresh,
    Takeover,
}

impl Deflate {
    pub const fn context(self) -> Context {
        match self {
            Self::Fresh => Context::Fresh,
            Self::Takeover => Context::Takeover,
        }
    }

    /// What is agreed in the handshake.
    pub const fn answer(self) -> &'static str {
        match self {
            Self::Fresh => "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            Self::Takeover => "permessage-deflate",
        }
    }

    pub const fn setting(deflate: Option<Self>) -> &'static str {
        match deflate {
            None => "plain",
            Some(Self::Fresh) => "fresh",
            Some(Self::Takeover) => "takeover",
        }
    }

    pub fn from_setting(setting: &str) -> Result<Option<Self>, Failure> {
        match setting {
            "plain" => Ok(None),
            "fresh" => Ok(Some(Self::Fresh)),
            "takeover" => Ok(Some(Self::Takeover)),
            _ => Err("no such setting".into()),
        }
    }
}

/// The others have no permessage-deflate.
pub fn takes_part(name: &str, deflate: Option<Deflate>) -> bool {
    deflate.is_none() || matches!(name, "tidegate-proto" | "sockudo-ws" | "yawc")
}

pub async fn serve(name: &str, deflate: Option<Deflate>) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        open(&mut stream, deflate).await?;
        let talk = talk(name, stream, deflate)?;
        // The load ends without a Close; if anything else is wrong, it is the load that notices.
        tokio::spawn(async move { _ = talk.await });
    }
}

/// The same handshake for all, and not measured.
async fn open(stream: &mut TcpStream, deflate: Option<Deflate>) -> Result<(), Failure> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut head).await?;
    }
    let mut answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        .to_owned();
    if let Some(deflate) = deflate {
        answer += &format!("Sec-WebSocket-Extensions: {}\r\n", deflate.answer());
    }
    Ok(stream.write_all((answer + "\r\n").as_bytes()).await?)
}

/// Messages that are read before they are answered.
const BATCH_MAX: usize = 32;

type Talk = std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

fn talk(name: &str, stream: TcpStream, deflate: Option<Deflate>) -> Result<Talk, Failure> {
    Ok(match (name, deflate) {
        ("tidegate-proto", Some(deflate)) => Box::pin(tidegate::deflated(stream, deflate)),
        ("tokio-tungstenite", None) => Box::pin(tungstenite(stream)),
        ("fastwebsockets", None) => Box::pin(fastwebsockets(stream)),
        ("tokio-websockets", None) => Box::pin(tokio_websockets(stream)),
        ("sockudo-ws", deflate) => Box::pin(sockudo(stream, deflate)),
        ("yawc", deflate) => Box::pin(yawc(stream, deflate)),
        _ => return Err(format!("no such server: {name}").into()),
    })
}

/// Says back what `read` finds to be data: everything that has arrived is read, then answered, then flushed. Some of the
/// crates write whenever they are read from.
async fn in_batches<S, M>(
    mut socket: S,
    read: impl Fn(S::Item) -> Result<Option<M>, Failure>,
) -> Result<(), Failure>
where
    S: Stream + Sink<M> + Unpin,
    S::Error: Into<Failure>,
{
    let mut batch = Vec::new();
    while let Some(message) = socket.next().await {
        batch.push(message);
        while batch.len() < BATCH_MAX
            && let Some(message) = socket.next().now_or_never().flatten()
        {
            batch.push(message);
        }
        for message in batch.drain(..) {
            if let Some(data) = read(message)? {
                socket.feed(data).await.map_err(Into::into)?;
            }
        }
        socket.flush().await.map_err(Into::into)?;
    }
    Ok(())
}

/// The same for a crate that does better when each message is answered before the next is read.
async fn in_turns<S, M>(
    mut socket: S,
    read: impl Fn(S::Item) -> Result<Option<M>, Failure>,
) -> Result<(), Failure>
where
    S: Stream + Sink<M> + Unpin,
    S::Error: Into<Failure>,
{
    while let Some(message) = socket.next().await {
        let mut next = Some(message);
        while let Some(message) = next {
            if let Some(data) = read(message)? {
                socket.feed(data).await.map_err(Into::into)?;
            }
            next = socket.next().now_or_never().flatten();
        }
        socket.flush().await.map_err(Into::into)?;
    }
    Ok(())
}

async fn tungstenite(stream: TcpStream) -> Result<(), Failure> {
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role;

    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let is_data = |message: &Message| message.is_text() || message.is_binary();
    in_batches(socket, |message| Ok(Some(message?).filter(is_data))).await
}

async fn tokio_websockets(stream: TcpStream) -> Result<(), Failure> {
    use tokio_websockets::Message;

    let socket = tokio_websockets::ServerBuilder::new().serve(stream);
    let is_data = |message: &Message| message.is_text() || message.is_binary();
    in_batches(socket, |message| Ok(Some(message?).filter(is_data))).await
}

/// It writes each frame at once; there is no other way.
async fn fastwebsockets(stream: TcpStream) -> Result<(), Failure> {
    use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};

    let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Continuation | OpCode::Ping | OpCode::Pong => {}
        }
    }
}

async fn sockudo(stream: TcpStream, deflate: Option<Deflate>) -> Result<(), Failure> {
    use sockudo_ws::protocol::Message;
    use sockudo_ws::{CompressedWebSocketStream, Config, DeflateConfig, WebSocketStream};

    let is_data = |message: &Message| matches!(message, Message::Text(_) | Message::Binary(_));
    let read = |message: sockudo_ws::Result<Message>| Ok(Some(message?).filter(is_data));
    let Some(deflate) = deflate else {
        return in_batches(WebSocketStream::server(stream, Config::default()), read).await;
    };
    let fresh = deflate == Deflate::Fresh;
    let settings = DeflateConfig {
        server_no_context_takeover: fresh,
        client_no_context_takeover: fresh,
        compression_level: 6,
        compression_threshold: 0,
        ..DeflateConfig::default()
    };
    in_batches(CompressedWebSocketStream::server(stream, Config::default(), settings), read).await
}

async fn yawc(stream: TcpStream, deflate: Option<Deflate>) -> Result<(), Failure> {
    use yawc::frame::{Frame, OpCode};
    use yawc::{CompressionLevel, DeflatePool, Options, Role, WebSocket};

    thread_local! {
        static POOL: DeflatePool = DeflatePool::new(4);
    }
    let mut options = Options::default().with_utf8();
    if let Some(deflate) = deflate {
        options = options.with_compression_level(CompressionLevel::new(6)).with_compression_threshold(0);
        if deflate == Deflate::Fresh {
            options = options.server_no_context_takeover().client_no_context_takeover();
            options = options.with_deflate_pool(POOL.with(Clone::clone));
        }
    }
    let agreed = deflate.map(Deflate::answer);
    let socket = WebSocket::from_stream_with_extensions(stream, Role::Server, agreed, options)?;
    let is_data = |frame: &Frame| matches!(frame.opcode(), OpCode::Text | OpCode::Binary);
    in_turns(socket, |frame| Ok(Some(frame).filter(is_data))).await
}
