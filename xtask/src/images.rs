//! `cargo xtask images`: the larger images, built, and what they are for, done in them.
//!
//! They are no part of `cargo xtask test`, which would build them for minutes. Each check is a call
//! through a daemon, in the shipped profile of its image; what came out is looked at, and the figures
//! are printed: the image's size and how long it took to build, and the time of each call. npm and
//! Node also go through the egress proxy, to a server of files on this machine. Fails at the
//! first check that does not hold.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Answer, Client, Ending, Ran};
use crate::containers;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::registry::{self, Registry};
use crate::setup;
use crate::shell;
use crate::table::{Align, Table};
use crate::workspace::Workspace;

/// The images, smallest first.
const IMAGES: [&str; 3] = ["shell", "node", "python-data"];

/// Which profile runs which language in which image.
const DATA: (&str, &str) = ("container-data", "python");
const NODE: (&str, &str) = ("container-node", "javascript");
const SHELL: (&str, &str) = ("container-offline", "bash");
const NODE_OUT: (&str, &str) = ("node-egress", "javascript");

/// The shipped rules, and one server of this machine for containers of [`NODE_OUT`].
const POLICY: &str = r#"
version = 1
name = "images"
include = ["contain.toml"]
[[rule]]
id = "node-egress"
effect = "allow"
run = "node-egress"
match = { tool = "execute_code", "arguments.profile" = "node-egress" }
reason = "npm and Node are looked at"
[[rule]]
id = "files"
effect = "allow"
run = "node-egress"
match = { tool = "http_request", "host.address" = { cidr = "127.0.0.2" } }
reason = "the server of files"
"#;

/// Where no rule leads.
const ELSEWHERE: &str = "127.0.0.3";

/// The eight bytes that a PNG begins with (its specification, 5.2).
const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

const PLOT: &str = "
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt, numpy as np
x = np.linspace(0, 6.28, 200)
plt.figure(figsize=(4, 3))
plt.plot(x, np.sin(x)); plt.title('sine')
plt.savefig('plot.png')
print(x.size)
";

const TABLE: &str = "
import pandas as pd
table = pd.read_csv('sales.csv')
print(table.groupby('place').amount.sum().to_dict())
";

const PYTEST: &str = "
import subprocess, sys
done = subprocess.run([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider'], capture_output=True, text=True)
print(done.stdout.strip().splitlines()[-1].split(' in ')[0], done.returncode)
";

const SCRIPT: &str = "
const { execSync } = require('child_process');
console.log(execSync('npm run --silent greet').toString().trim());
";

const CLONE: &str = "git init -q --bare a.git && git clone -q a.git b 2>/dev/null; cd b && echo x > f && git add f && \
    git -c user.name=A -c user.email=a@example.com commit -qm one && git push -q origin HEAD && \
    git clone -q ../a.git ../c && cat ../c/f";

const COMPILE: &str =
    "printf '#include <stdio.h>\\nint main(){puts(\"compiled\");}' > a.c && gcc a.c -o a && ./a";

const INSTALL: &str = "
const { execSync } = require('child_process');
execSync('npm install --no-audit --no-fund --registry http://SERVER/registry/ greeting 2>&1');
console.log(require('/workspace/node_modules/greeting/package.json').version);
";

/// Plain requests through the proxy, by Node itself: its own fetch reads no variables before 22.21.
const REQUESTS: &str = "
const proxy = new URL(process.env.HTTP_PROXY);
function ask(server) {
    const where = {
        host: proxy.hostname, port: proxy.port, headers: { host: server },
        path: `http://${server}/registry/hello`,
    };
    return new Promise(resolve => require('http').get(where, async answer => {
        let text = '';
        for await (const part of answer) text += part;
        resolve([answer.statusCode, text.trim()]);
    }));
}
(async () => {
    console.log(...await ask('SERVER'));
    const [status, problem] = await ask('ELSEWHERE');
    console.log(status, JSON.parse(problem).reason);
})();
";

/// One thing that an image is for.
struct Check {
    name: &'static str,
    place: (&'static str, &'static str),
    code: String,
    files: Value,
    printed: &'static str,
    /// Looks at what came back.
    look: fn(&Ran) -> Result<(), String>,
}

fn checks(port: u16) -> Vec<Check> {
    let at = |host: &str| format!("{host}:{port}");
    let check = |name, place, code: &str, printed| Check {
        name,
        place,
        code: code
            .replace("SERVER", &at(registry::HOST))
            .replace("ELSEWHERE", &at(ELSEWHERE)),
        files: json!([]),
        printed,
        look: |_| Ok(()),
    };
    let file = |path: &str, content: &str| json!({"path": path, "content": content});
    vec![
        Check {
            look: is_plot,
            ..check(
                "a plot by matplotlib comes back as a PNG",
                DATA,
                PLOT,
                "200\n",
            )
        },
        Check {
            files: json!([file("sales.csv", "place,amount\nA,1\nB,2\nA,3\n")]),
            ..check(
                "pandas reads a CSV that was passed in",
                DATA,
                TABLE,
                "{'A': 4, 'B': 2}\n",
            )
        },
        Check {
            files: json!([
                file("sum.py", "def add(a, b):\n    return a + b\n"),
                file(
                    "test_sum.py",
                    "from sum import add\ndef test_add():\n    assert add(1, 2) == 3\n"
                ),
            ]),
            ..check("pytest", DATA, PYTEST, "1 passed 0\n")
        },
        Check {
            files: json!([file(
                "package.json",
                r#"{"name":"a","version":"1.0.0","scripts":{"greet":"node -e \"console.log('hello')\""}}"#
            )]),
            ..check("an npm script", NODE, SCRIPT, "hello\n")
        },
        check("git clone of a local repository", SHELL, CLONE, "x\n"),
        check("gcc", SHELL, COMPILE, "compiled\n"),
        check(
            "npm install through the proxy",
            NODE_OUT,
            INSTALL,
            "1.0.0\n",
        ),
        check(
            "requests through the proxy, allowed and refused",
            NODE_OUT,
            REQUESTS,
            "200 hello\n403 denied\n",
        ),
    ]
}

/// Builds, checks and prints.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    setup::prepare(workspace)?;
    containers::docker()?;
    let images = build(workspace)?;
    println!("\n{images}");
    let state = workspace.scratch("images")?;
    let files = Registry::serve(&state.join("files"))?;
    let daemon = start(workspace, &state)?;
    let checked = check_all(daemon.client(), files.port(), &state);
    daemon.stop()?;
    println!("\n{}", checked?);
    Ok(())
}

fn build(workspace: &Workspace) -> Result<Table, Failure> {
    let mut table = Table::new(&[
        ("image", Align::Left),
        ("made in", Align::Right),
        ("MiB", Align::Right),
    ]);
    for name in IMAGES {
        let lazaret = workspace.bin("lazaret");
        let there = shell::holds(Command::new(&lazaret).args(["runtime", "verify", name]));
        let since = Instant::now();
        if !there {
            shell::run(Command::new(&lazaret).args(["runtime", "build", name]))?;
        }
        let made = match there {
            true => "was there".to_owned(),
            false => seconds(since.elapsed()),
        };
        table.row([name.to_owned(), made, mebibytes(name)?]);
    }
    Ok(table)
}

fn mebibytes(name: &str) -> Result<String, Failure> {
    let image = format!("lazaret/{name}");
    let mut docker = Command::new("docker");
    let bytes = shell::read(docker.args(["image", "inspect", "--format", "{{.Size}}", &image]))?;
    let bytes: u64 = bytes
        .trim()
        .parse()
        .map_err(|_| Failure::answer("docker", format!("`{}` as a size", bytes.trim())))?;
    Ok((bytes >> 20).to_string())
}

fn start(workspace: &Workspace, state: &Path) -> Result<Daemon, Failure> {
    let profiles = state.join("profiles");
    std::fs::create_dir_all(&profiles).map_err(Failure::file(&profiles))?;
    let write = |name: &str, text: &str| {
        let file = state.join(name);
        std::fs::write(&file, text).map_err(Failure::file(&file))?;
        Ok::<_, Failure>(file.to_string_lossy().into_owned())
    };
    let shipped = |path: &str| {
        let file = workspace.root().join(path);
        std::fs::read_to_string(&file).map_err(Failure::file(&file))
    };
    let node = with_a_way_out(&shipped("profiles/container-node.toml")?);
    write("profiles/node-egress.toml", &node)?;
    write("contain.toml", &shipped("policy/packs/contain.toml")?)?;
    let policy = write("policy.toml", POLICY)?;
    let profiles = profiles.to_string_lossy().into_owned();
    let environment = [
        ("LAZARET_CONTAINERS", "required"),
        ("LAZARET_POLICY", policy.as_str()),
        ("LAZARET_PROFILES", profiles.as_str()),
    ];
    Daemon::start(workspace, state, &environment)
}

/// The shipped profile of Node with the layer `egress_proxy`, and time for npm in gVisor.
fn with_a_way_out(node: &str) -> String {
    let tools = "[tools]\nhttp_request = \"node\"\n\n[languages]";
    node.replace("name = \"container-node\"", "name = \"node-egress\"")
        .replace("rank = 52", "rank = 952")
        .replace("max = 30_000", "max = 100_000")
        .replace("[languages]", tools)
        + "\n[layers.egress_proxy]\nwhy = \"npm and Node are looked at\"\n"
}

fn check_all(client: &Client, port: u16, to: &Path) -> Result<Table, Failure> {
    let mut table = Table::new(&[
        ("check", Align::Left),
        ("in", Align::Left),
        ("took", Align::Right),
    ]);
    for check in checks(port) {
        let since = Instant::now();
        check.run(client, to)?;
        let (profile, _) = check.place;
        table.row([
            check.name.to_owned(),
            profile.to_owned(),
            seconds(since.elapsed()),
        ]);
    }
    Ok(table)
}

impl Check {
    fn run(&self, client: &Client, to: &Path) -> Result<(), Failure> {
        let (profile, language) = self.place;
        let request = json!({
            "language": language, "code": self.code, "profile": profile,
            "files": self.files, "collect": ["*.png"],
        });
        let wrong = |why: String| Failure::Check(format!("{}: {why}", self.name));
        match client.execute(&request)? {
            Answer::Refused(refused) => Err(wrong(refused.detail)),
            Answer::Ran(ran) if ran.ending != Ending::Exited || ran.stdout != self.printed => {
                let said = format!("{}, `{}` `{}`", ran.ending_text(), ran.stdout, ran.stderr);
                Err(wrong(said))
            }
            Answer::Ran(ran) => {
                (self.look)(&ran).map_err(wrong)?;
                keep(&ran, to)
            }
        }
    }
}

/// For a person to look at.
fn keep(ran: &Ran, to: &Path) -> Result<(), Failure> {
    ran.files.iter().try_for_each(|file| {
        let name = Path::new(&file.path).file_name().unwrap_or_default();
        let kept = to.join(name);
        std::fs::write(&kept, &file.content).map_err(Failure::file(&kept))?;
        println!("{} came back: {}", file.path, kept.display());
        Ok(())
    })
}

/// A PNG of 400 by 300, as was asked for, and not an empty one.
fn is_plot(ran: &Ran) -> Result<(), String> {
    let [plot] = ran.files.as_slice() else {
        return Err(format!("{} files came back", ran.files.len()));
    };
    let size = |at: usize| {
        let bytes = plot.content.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    // Width and height are the first two fields of the first chunk.
    let is_one = plot.content.starts_with(&PNG) && (size(16), size(20)) == (Some(400), Some(300));
    match is_one && plot.content.len() > 2_000 {
        true => Ok(()),
        false => Err(format!("`{}` is no plot", plot.path)),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
