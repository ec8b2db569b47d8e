//! A connection as timely uses it. timely panics where one breaks; here a break ends the engine with
//! its reason, and timely sees one that ended well: behind the last whole message, as if its sender
//! had been done. What is written to a broken one goes nowhere.

use super::links::Peer;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use timely::communication::allocator::zero_copy::stream::Stream;
use timely::communication::networking::MessageHeader;

const READ_BYTES: usize = 1 << 16;
/// How timely says that nothing more comes: a header of a message without bytes.
const END: MessageHeader =
    MessageHeader { channel: 0, source: 0, target_lower: 0, target_upper: 0, length: 0, seqno: 0 };

pub(super) struct MeshStream {
    socket: TcpStream,
    peer: Arc<Peer>,
    /// Read and not handed over: first `whole` bytes of whole messages from `at` on, then the
    /// beginning of another.
    read: Vec<u8>,
    at: usize,
    whole: usize,
    /// The last message was read.
    ended: bool,
}

impl MeshStream {
    pub(super) const fn new(socket: TcpStream, peer: Arc<Peer>) -> Self {
        Self { socket, peer, read: Vec::new(), at: 0, whole: 0, ended: false }
    }

    /// Reads until there is a whole message.
    fn fill(&mut self) {
        self.read.drain(..self.at);
        self.at = 0;
        while self.whole == 0 {
            let length = self.read.len();
            self.read.resize(length + READ_BYTES, 0);
            let read = self.socket.read(&mut self.read[length..]);
            self.read.truncate(length + read.as_ref().map_or(0, |read| *read));
            match read {
                Ok(1..) => self.count(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) => return self.end("it closed the connection"),
                Err(error) => return self.end(&error.to_string()),
            }
        }
    }

    fn count(&mut self) {
        while let Some(header) = MessageHeader::try_read(&self.read[self.whole..]) {
            self.whole += header.required_bytes();
            if header.length == 0 {
                self.ended = true;
                self.peer.lost("it has ended");
            }
        }
    }

    fn end(&mut self, why: &str) {
        self.peer.lost(why);
        self.read.clear();
        END.write_to(&mut self.read).expect("a header can be written to memory");
        (self.whole, self.ended) = (self.read.len(), true);
    }
}

impl Read for MeshStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.whole == 0 {
            if self.ended {
                return Ok(0);
            }
            self.fill();
        }
        let count = self.whole.min(into.len());
        into[..count].copy_from_slice(&self.read[self.at..self.at + count]);
        self.at += count;
        self.whole -= count;
        Ok(count)
    }
}

impl Write for MeshStream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self.socket.write(from) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                self.peer.lost(&error.to_string());
                Ok(from.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for MeshStream {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self::new(self.socket.try_clone()?, Arc::clone(&self.peer)))
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    /// timely has sent all it had to: then this process's workers are gone, and nobody is left to
    /// read what comes.
    fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        // It may be closed already, from the other end.
        let _ = self.socket.shutdown(Shutdown::Both);
        Ok(())
    }
}
