//! Sockets of every family, and what can be done to the one that is there.

use std::io;
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};

use nix::errno::Errno;

use super::{Act, call, fails, works};
use crate::daemon::errno;
use crate::raw;

pub(super) fn acts() -> Vec<Act> {
    let mut acts = vec![
        works(
            "connect-loopback",
            "reach a TCP port of the host",
            |place| {
                TcpStream::connect(("127.0.0.1", place.port))
                    .map(drop)
                    .map_err(|e| errno(&e))
            },
        ),
        works(
            "connect-abstract",
            "reach an abstract socket of the host",
            |place| {
                let address = SocketAddr::from_abstract_name(&place.socket);
                let stream = address.and_then(|a| UnixStream::connect_addr(&a));
                stream.map(drop).map_err(|e: io::Error| errno(&e))
            },
        ),
        works("socketpair", "make a pair of sockets", |_| {
            let room = [0_i32; 2];
            call(libc::SYS_socketpair, &[1, 1, 0, room.as_ptr() as u64])
        }),
        works("listen-loopback", "listen on a TCP port", |_| {
            std::net::TcpListener::bind(("127.0.0.1", 0))
                .map(drop)
                .map_err(|e| errno(&e))
        }),
        works("socket-option", "change an option of a socket", |_| {
            // Inside, descriptor 0 is a socket; outside it may be anything, so one is made.
            let fd = raw::call(libc::SYS_socket, &[1, 1, 0]).unwrap_or(0) as u64;
            let size = 1_i32;
            let value = &raw const size as u64;
            call(
                libc::SYS_setsockopt,
                &[fd, 1, libc::SO_SNDBUF as u64, value, 4],
            )
        }),
    ];
    acts.extend(families());
    acts
}

/// Why a family is missing.
const NOT_BUILT: &str = "the kernel has no such sockets, or only root may";
const MISSING: &[Errno] = &[
    Errno::EAFNOSUPPORT,
    Errno::EPROTONOSUPPORT,
    Errno::ESOCKTNOSUPPORT,
    Errno::EPROTOTYPE,
    Errno::EINVAL,
    Errno::EPERM,
    Errno::EACCES,
    Errno::ENOENT,
    Errno::EOPNOTSUPP,
    Errno::ENOPROTOOPT,
];

/// One act for each family, because the act is a plain function and knows no number.
macro_rules! family {
    ($(($control:ident, $name:literal, $number:literal)),* $(,)?) => {
        vec![$(family!(@ $control, $name, |_| socket($number))),*]
    };
    (@ works, $name:literal, $run:expr) => {
        works($name, "make a socket of this family", $run)
    };
    (@ perhaps, $name:literal, $run:expr) => {
        fails($name, "make a socket of this family", MISSING, NOT_BUILT, $run)
    };
}

/// Every address family of linux/socket.h.
fn families() -> Vec<Act> {
    family![
        (works, "socket-unix", 1),
        (works, "socket-inet", 2),
        (perhaps, "socket-ax25", 3),
        (perhaps, "socket-ipx", 4),
        (perhaps, "socket-appletalk", 5),
        (perhaps, "socket-netrom", 6),
        (perhaps, "socket-bridge", 7),
        (perhaps, "socket-atmpvc", 8),
        (perhaps, "socket-x25", 9),
        (works, "socket-inet6", 10),
        (perhaps, "socket-rose", 11),
        (perhaps, "socket-decnet", 12),
        (perhaps, "socket-netbeui", 13),
        (perhaps, "socket-security", 14),
        (perhaps, "socket-key", 15),
        (works, "socket-netlink", 16),
        (perhaps, "socket-packet", 17),
        (perhaps, "socket-ash", 18),
        (perhaps, "socket-econet", 19),
        (perhaps, "socket-atmsvc", 20),
        (perhaps, "socket-rds", 21),
        (perhaps, "socket-sna", 22),
        (perhaps, "socket-irda", 23),
        (perhaps, "socket-pppox", 24),
        (perhaps, "socket-wanpipe", 25),
        (perhaps, "socket-llc", 26),
        (perhaps, "socket-infiniband", 27),
        (perhaps, "socket-mpls", 28),
        (perhaps, "socket-can", 29),
        (perhaps, "socket-tipc", 30),
        (perhaps, "socket-bluetooth", 31),
        (perhaps, "socket-iucv", 32),
        (perhaps, "socket-rxrpc", 33),
        (perhaps, "socket-isdn", 34),
        (perhaps, "socket-phonet", 35),
        (perhaps, "socket-ieee802154", 36),
        (perhaps, "socket-caif", 37),
        (perhaps, "socket-alg", 38),
        (perhaps, "socket-nfc", 39),
        (perhaps, "socket-vsock", 40),
        (perhaps, "socket-kcm", 41),
        (perhaps, "socket-qipcrtr", 42),
        (perhaps, "socket-smc", 43),
        (perhaps, "socket-xdp", 44),
        (perhaps, "socket-mctp", 45),
    ]
}

/// The first type of socket that the family has.
fn socket(family: u64) -> Result<(), Errno> {
    let types = [
        libc::SOCK_STREAM,
        libc::SOCK_DGRAM,
        libc::SOCK_SEQPACKET,
        libc::SOCK_RAW,
    ];
    let mut last = Err(Errno::EAFNOSUPPORT);
    for kind in types {
        last = call(libc::SYS_socket, &[family, kind as u64, 0]);
        if last.is_ok() {
            break;
        }
    }
    last
}
