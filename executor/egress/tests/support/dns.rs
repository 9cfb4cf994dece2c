//! A name server over UDP that says what it is told to, and something else the next time.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;

type Answers = HashMap<&'static str, Vec<Vec<IpAddr>>>;

pub(crate) struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    pub(crate) fn start(answers: Answers) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            let mut rounds: HashMap<(String, u16), usize> = HashMap::new();
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                let Some((name, kind, end)) = question(&query[..length]) else {
                    continue;
                };
                log.lock().unwrap().push(name.clone());
                let round = rounds.entry((name.clone(), kind)).or_default();
                let list = answers
                    .get(name.as_str())
                    .and_then(|rounds| rounds.get((*round).min(rounds.len() - 1)));
                *round += 1;
                let answer = answer(&query[..end], kind, list.map(Vec::as_slice));
                drop(socket.send_to(&answer, from));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often a name was asked for, in questions for one type.
    pub(crate) fn asked(&self, name: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| *asked == name).count() / 2
    }
}

/// The name, the type, and where the question ends.
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    Some((labels.join("."), kind, at + 4))
}

fn answer(query: &[u8], kind: u16, list: Option<&[IpAddr]>) -> Vec<u8> {
    let records: Vec<Vec<u8>> = list
        .unwrap_or_default()
        .iter()
        .filter_map(|address| match (address, kind) {
            (IpAddr::V4(v4), TYPE_A) => Some(record(kind, &v4.octets())),
            (IpAddr::V6(v6), TYPE_AAAA) => Some(record(kind, &v6.octets())),
            _ => None,
        })
        .collect();
    let code: u8 = if list.is_some() { 0 } else { 3 };
    let count = u16::try_from(records.len()).unwrap().to_be_bytes();
    [
        &query[..2],
        &[0x81, 0x80 | code, 0, 1, count[0], count[1], 0, 0, 0, 0],
        &query[12..],
        &records.concat(),
    ]
    .concat()
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [
        &[0xc0, 12],
        kind.to_be_bytes().as_slice(),
        &[0, 1, 0, 0, 0, 0],
        &length.to_be_bytes(),
        data,
    ]
    .concat()
}
