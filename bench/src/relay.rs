//! The limits: a relay that reads and writes, and one that splices. No protocol, no deadlines, no limits: what is left is
//! what the kernel takes for moving bytes.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

const BUFFER_BYTES: usize = 1 << 20;
const LISTENER: u64 = u64::MAX;
const EVENTS: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

type Pipe = (OwnedFd, OwnedFd);

/// Two sockets. Direction `d` is from socket `d` to the other.
struct Pair {
    sockets: [TcpStream; 2],
    /// What the other socket could not take.
    left: [Vec<u8>; 2],
    pipes: [Option<(Pipe, usize)>; 2],
    done: bool,
}

struct Relay {
    pairs: Vec<Option<Pair>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    pipes: Vec<Pipe>,
    splice: bool,
}

pub(crate) fn run(listen: SocketAddr, to: SocketAddr, splice: bool) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut relay = Relay {
        pairs: Vec::new(),
        free: Vec::new(),
        buffer: vec![0; BUFFER_BYTES],
        pipes: Vec::new(),
        splice,
    };
    let mut events: Vec<Event> = Vec::with_capacity(256);
    loop {
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                while let Ok((client, _)) = listener.accept() {
                    // Without a backend the client is let go.
                    if let Ok(backend) = TcpStream::connect(to) {
                        relay.open(&epoll, client, backend)?;
                    }
                }
            } else {
                relay.ready(token);
            }
        }
    }
}

impl Relay {
    fn open(&mut self, epoll: &OwnedFd, client: TcpStream, backend: TcpStream) -> anyhow::Result<()> {
        let at = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        for (side, socket) in [&client, &backend].into_iter().enumerate() {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            epoll::add(epoll, socket, EventData::new_u64((at << 1 | side) as u64), EVENTS)?;
        }
        let pair = Pair {
            sockets: [client, backend],
            left: Default::default(),
            pipes: Default::default(),
            done: false,
        };
        self.pairs[at] = Some(pair);
        Ok(())
    }

    fn ready(&mut self, token: u64) {
        let (at, side) = ((token >> 1) as usize, (token & 1) as usize);
        let Some(pair) = &mut self.pairs[at] else { return };
        // Ready for reading, for writing, or both: edges say no more.
        for direction in [side, 1 - side] {
            let moved = if self.splice {
                pair.splice(direction, &mut self.pipes)
            } else {
                pair.copy(direction, &mut self.buffer)
            };
            pair.done |= moved.is_err();
        }
        if pair.done {
            self.pairs[at] = None;
            self.free.push(at);
        }
    }
}

impl Pair {
    fn copy(&mut self, direction: usize, buffer: &mut [u8]) -> io::Result<()> {
        let left = &mut self.left[direction];
        if !left.is_empty() {
            let taken = or_none((&self.sockets[1 - direction]).write(left))?;
            left.drain(..taken);
            if !left.is_empty() {
                return Ok(());
            }
            *left = Vec::new();
        }
        loop {
            let read = match (&self.sockets[direction]).read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) => return or_none(Err(error)).map(drop),
            };
            let taken = or_none((&self.sockets[1 - direction]).write(&buffer[..read]))?;
            if taken < read {
                self.left[direction].extend_from_slice(&buffer[taken..read]);
                return Ok(());
            }
            if read < buffer.len() {
                return Ok(()); // drained: there will be an edge
            }
        }
    }

    fn splice(&mut self, direction: usize, pool: &mut Vec<Pipe>) -> io::Result<()> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        loop {
            if let Some((pipe, filled)) = &mut self.pipes[direction] {
                let to = &self.sockets[1 - direction];
                match splice(&pipe.0, None, to, None, *filled, flags) {
                    Ok(taken) => *filled -= taken,
                    Err(Errno::AGAIN) => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
                if *filled > 0 {
                    return Ok(());
                }
                pool.extend(self.pipes[direction].take().map(|(pipe, _)| pipe));
            }
            let pipe = pool.pop().map_or_else(new_pipe, Ok)?;
            match splice(&self.sockets[direction], None, &pipe.1, None, BUFFER_BYTES, flags) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(filled) => self.pipes[direction] = Some((pipe, filled)),
                Err(Errno::AGAIN) => {
                    pool.push(pipe);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn new_pipe() -> io::Result<Pipe> {
    let pipe = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    fcntl_setpipe_size(&pipe.0, BUFFER_BYTES)?;
    Ok(pipe)
}

/// A socket that would block has taken nothing.
fn or_none(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
