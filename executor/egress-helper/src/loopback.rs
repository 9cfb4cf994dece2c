//! Brings the loopback up in a new network namespace: one message to the kernel (rtnetlink(7)).

use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// Types and flags of the kernel's interface, linux/rtnetlink.h and linux/netlink.h.
const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const IFF_UP: u32 = 1;
/// The loopback is the first interface of every network namespace.
const LOOPBACK_INDEX: i32 = 1;
/// A header and `struct ifinfomsg`.
const MESSAGE_BYTES: u32 = 32;
/// Where the answer holds its error number, 0 for none.
const ERROR_AT: std::ops::Range<usize> = 16..20;

/// Sets the flag `IFF_UP` of the loopback.
pub(crate) fn up() -> Result<(), Errno> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), &message(), &kernel, MsgFlags::empty())?;
    let mut answer = [0_u8; 1024];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    match answer.get(..length).and_then(error_number) {
        Some(0) => Ok(()),
        Some(number) => Err(Errno::from_raw(number.saturating_neg())),
        None => Err(Errno::EPROTO),
    }
}

fn message() -> Vec<u8> {
    [
        MESSAGE_BYTES.to_ne_bytes().as_slice(),
        &RTM_NEWLINK.to_ne_bytes(),
        &(NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes(),
        &1_u32.to_ne_bytes(), // sequence
        &0_u32.to_ne_bytes(), // from whoever we are
        &[0; 4],              // any family, any type
        &LOOPBACK_INDEX.to_ne_bytes(),
        &IFF_UP.to_ne_bytes(),
        &IFF_UP.to_ne_bytes(), // the mask of what changes
    ]
    .concat()
}

fn error_number(answer: &[u8]) -> Option<i32> {
    let bytes = answer.get(ERROR_AT)?;
    Some(i32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_as_long_as_it_says() {
        assert_eq!(message().len(), 32);
    }
}
