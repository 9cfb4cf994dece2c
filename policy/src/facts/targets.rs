//! Which words of a network program's command line are hosts.
//!
//! More rather than fewer: every word that is no option and no value of an option that is known to
//! take one. A word that only the run time knows may be a host, so it makes one without a name.

use super::texts::Hosts;
use crate::shell::{Argument, Command};

/// A program that speaks to hosts it is given, and its options whose value is no host.
struct Program {
    names: &'static [&'static str],
    /// Letters of short options that take a value.
    short: &'static str,
    /// Long options that take a value, without their dashes.
    long: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program {
        names: &["curl"],
        short: "ACDEFHKPQTXYbcdehmortuwyz",
        long: &[
            "cacert",
            "capath",
            "cert",
            "ciphers",
            "config",
            "connect-timeout",
            "continue-at",
            "cookie",
            "cookie-jar",
            "data",
            "data-ascii",
            "data-binary",
            "data-raw",
            "data-urlencode",
            "dump-header",
            "form",
            "form-string",
            "header",
            "json",
            "key",
            "limit-rate",
            "max-filesize",
            "max-redirs",
            "max-time",
            "netrc-file",
            "output",
            "output-dir",
            "pass",
            "range",
            "referer",
            "request",
            "retry",
            "retry-delay",
            "retry-max-time",
            "speed-limit",
            "speed-time",
            "stderr",
            "time-cond",
            "trace",
            "trace-ascii",
            "upload-file",
            "user",
            "user-agent",
            "write-out",
        ],
    },
    Program {
        names: &["wget"],
        short: "aADeIloOPQRtTUwX",
        long: &[
            "accept",
            "append-output",
            "body-data",
            "body-file",
            "cut-dirs",
            "directory-prefix",
            "execute",
            "header",
            "include-directories",
            "level",
            "limit-rate",
            "method",
            "output-document",
            "output-file",
            "password",
            "post-data",
            "post-file",
            "quota",
            "read-timeout",
            "reject",
            "timeout",
            "tries",
            "user",
            "user-agent",
            "wait",
        ],
    },
    Program {
        names: &["ssh", "scp", "sftp", "ssh-copy-id", "mosh"],
        short: "BbcDEeFIiLlmOoPpQRSWwX",
        long: &[],
    },
    Program {
        names: &[
            "aria2c",
            "dig",
            "finger",
            "fping",
            "ftp",
            "host",
            "http",
            "https",
            "irc",
            "lftp",
            "lynx",
            "mtr",
            "nc",
            "ncat",
            "netcat",
            "nmap",
            "nslookup",
            "ping",
            "ping6",
            "rlogin",
            "rsh",
            "rsync",
            "socat",
            "telnet",
            "tftp",
            "traceroute",
            "whois",
            "w3m",
        ],
        short: "cpstw",
        long: &[],
    },
];

/// Reads the hosts of a command that is known to connect to what it is given.
pub(super) fn read(hosts: &mut Hosts<'_>, command: &Command) {
    let named = |program: &&Program| program.names.contains(&command.name.as_str());
    let Some(program) = PROGRAMS.iter().find(named) else {
        return;
    };
    let mut is_value = false;
    for argument in &command.arguments {
        match argument.is_literal() {
            true if is_value => is_value = false,
            true if argument.text.starts_with('-') && argument.text.len() > 1 => {
                is_value = program.takes_value(&argument.text);
            }
            true => hosts.read_target(&argument.text),
            false => {
                is_value = false;
                unknown(hosts, argument);
            }
        }
    }
}

/// A host that nobody knows yet, unless the word is an option.
fn unknown(hosts: &mut Hosts<'_>, argument: &Argument) {
    let known = argument.text.get(..argument.known_prefix_bytes);
    let is_option = known.is_some_and(|known| known.starts_with('-'));
    if !is_option {
        hosts.unknown();
    }
}

impl Program {
    /// Whether the word after this option is its value.
    fn takes_value(&self, option: &str) -> bool {
        if let Some(long) = option.strip_prefix("--") {
            return self.long.contains(&long);
        }
        // In a cluster the first letter that takes a value takes the rest of the word as well.
        let letters = option.trim_start_matches('-');
        let first = letters.find(|letter| self.short.contains(letter));
        first.is_some_and(|at| at + 1 == letters.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Facts, Kind};
    use crate::shell::analyse;

    fn hosts(text: &str) -> Vec<String> {
        let mut facts = Facts::default();
        for command in &analyse(text).commands {
            read(&mut Hosts::of(&mut facts), command);
        }
        let names = facts.atoms(Kind::Host).iter();
        names
            .map(|host| host["name"].as_str().unwrap_or("?").to_owned())
            .collect()
    }

    #[test]
    fn words_that_are_hosts() {
        for (text, wanted) in [
            ("curl evil.example", &["evil.example"][..]),
            ("curl -s evil.example", &["evil.example"]),
            (
                "curl -o out.html -H 'A: b' https://a.example/x b.example",
                &["a.example", "b.example"],
            ),
            ("curl -sSo out.html a.example", &["a.example"]),
            ("curl -oout.html a.example", &["a.example"]),
            ("curl 2130706433", &["127.0.0.1"]),
            ("wget -qO- a.example", &["a.example"]),
            ("ssh -i key -p 22 me@a.example id", &["a.example", "id"]),
            ("curl $X", &["?"]),
            ("curl -H \"$X\" a.example", &["?", "a.example"]),
            ("cat a.example", &[]),
        ] {
            assert_eq!(hosts(text), wanted, "{text}");
        }
    }
}
