//! The options of programs that run another one, a row each.
//!
//! Data only. A row that forgets an option makes a command opaque; one that takes a value for none
//! would take the wrong word for the program.

/// How a wrapper reads its arguments.
pub(super) struct Wrapper {
    pub(super) names: &'static [&'static str],
    /// Letters of options without a value.
    pub(super) flags: &'static str,
    /// Letters of options with one.
    pub(super) values: &'static str,
    /// Long options with a value; others have none, or one after `=`.
    pub(super) long_values: &'static [&'static str],
    /// Operands before the program.
    pub(super) operands: usize,
    /// What stands after them.
    pub(super) inner: Inner,
}

/// What a wrapper runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inner {
    /// A program with its arguments.
    Program,
    /// The same after assignments `NAME=value`.
    AfterAssignments,
    /// Words that are joined and read by a shell.
    ShellWords,
    /// The same on another host.
    Remote,
    /// A program in a container, with its arguments.
    Contained,
}

const NONE: &[&str] = &[];

pub(super) const WRAPPERS: &[Wrapper] = &[
    row(
        &["sudo"],
        "AbBEeHiKklNnPSsvV",
        "aCcDghpRrTtUu",
        SUDO,
        0,
        Inner::AfterAssignments,
    ),
    row(&["doas"], "Lns", "Cu", NONE, 0, Inner::Program),
    row(
        &[
            "nohup",
            "unbuffer",
            "torsocks",
            "torify",
            "catchsegv",
            "setarch",
            "linux32",
            "linux64",
            "dbus-run-session",
            "fakeroot",
            "softlimit",
            "chpst",
        ],
        "",
        "",
        NONE,
        0,
        Inner::Program,
    ),
    row(
        &["proxychains", "proxychains4"],
        "q",
        "f",
        NONE,
        0,
        Inner::Program,
    ),
    row(&["nice"], "", "n", &["--adjustment"], 0, Inner::Program),
    row(&["setsid"], "cfw", "", NONE, 0, Inner::Program),
    row(
        &["stdbuf"],
        "",
        "ioe",
        &["--input", "--output", "--error"],
        0,
        Inner::Program,
    ),
    row(
        &["timeout", "gtimeout"],
        "vfp",
        "ks",
        &["--kill-after", "--signal"],
        1,
        Inner::Program,
    ),
    row(
        &["time", "gtime"],
        "apqvV",
        "fo",
        &["--format", "--output"],
        0,
        Inner::Program,
    ),
    row(
        &["ionice"],
        "t",
        "cnpPu",
        &["--class", "--classdata", "--pid"],
        0,
        Inner::Program,
    ),
    row(
        &["chrt"],
        "abdfiormRv",
        "pTPD",
        &["--sched-runtime", "--sched-deadline", "--sched-period"],
        1,
        Inner::Program,
    ),
    row(&["taskset"], "apc", "", NONE, 1, Inner::Program),
    row(
        &["numactl"],
        "aH",
        "iNmClpPsS",
        &[
            "--interleave",
            "--membind",
            "--cpunodebind",
            "--physcpubind",
            "--preferred",
        ],
        0,
        Inner::Program,
    ),
    row(
        &["prlimit"],
        "",
        "p",
        &["--pid", "--output"],
        0,
        Inner::Program,
    ),
    row(&["chroot"], "", "", NONE, 1, Inner::Program),
    row(
        &["unshare"],
        "imnpuUCTfrc",
        "SGRwl",
        &[
            "--root",
            "--wd",
            "--setuid",
            "--setgid",
            "--map-user",
            "--map-group",
            "--propagation",
        ],
        0,
        Inner::Program,
    ),
    row(
        &["nsenter"],
        "mpuinUCTaFZ",
        "tSGrw",
        &["--target", "--setuid", "--setgid"],
        0,
        Inner::Program,
    ),
    row(
        &["strace", "ltrace"],
        "cCdfFhiknqrtTvVwxXyYzZ",
        "aAbeEIlnoOpPsSuU",
        &["--attach", "--trace", "--output", "--user", "--env"],
        0,
        Inner::Program,
    ),
    row(
        &[
            "valgrind",
            "gdbserver",
            "rlwrap",
            "firejail",
            "cgexec",
            "heaptrack",
        ],
        "",
        "g",
        NONE,
        0,
        Inner::Program,
    ),
    row(
        &["watch"],
        "bcdegprtwxv",
        "nq",
        &["--interval", "--equexit"],
        0,
        Inner::ShellWords,
    ),
    row(
        &["gosu", "su-exec", "setpriv", "capsh"],
        "",
        "",
        NONE,
        1,
        Inner::Program,
    ),
    row(&["pkexec"], "", "u", &["--user"], 0, Inner::Program),
    row(
        &["systemd-run"],
        "dGrPqSt",
        "EHMpu",
        &[
            "--unit",
            "--property",
            "--description",
            "--slice",
            "--uid",
            "--gid",
            "--nice",
            "--working-directory",
            "--setenv",
            "--machine",
            "--host",
            "--on-active",
            "--on-boot",
            "--on-calendar",
            "--timer-property",
        ],
        0,
        Inner::Program,
    ),
    row(&["command"], "pvV", "", NONE, 0, Inner::Program),
    row(
        &[
            "builtin",
            "busybox",
            "toybox",
            "exec-wrapper",
            "noglob",
            "nocorrect",
        ],
        "",
        "",
        NONE,
        0,
        Inner::Program,
    ),
    row(&["exec"], "cl", "a", NONE, 0, Inner::Program),
    row(
        &["ssh", "slogin"],
        "46AaCfGgKkMNnqsTtVvXxYy",
        "BbcDEeFIiJLlmOopQRSWwP",
        NONE,
        1,
        Inner::Remote,
    ),
    row(&["rsh", "rexec"], "nd", "l", NONE, 1, Inner::Remote),
    row(&["entr"], "acdnprsxz", "", NONE, 0, Inner::Program),
    row(
        &["hyperfine"],
        "iN",
        "wmMrpcLuSn",
        &[
            "--warmup",
            "--runs",
            "--prepare",
            "--setup",
            "--cleanup",
            "--shell",
            "--export-json",
            "--export-csv",
            "--export-markdown",
        ],
        0,
        Inner::ShellWords,
    ),
    row(
        &["at", "batch"],
        "mlcvVbrdM",
        "fqtu",
        NONE,
        0,
        Inner::ShellWords,
    ),
    row(
        &["xvfb-run"],
        "al",
        "efnps",
        &["--server-args", "--server-num", "--auth-file"],
        0,
        Inner::Program,
    ),
    row(
        &["runcon"],
        "c",
        "turl",
        &["--type", "--user", "--role", "--range"],
        1,
        Inner::Program,
    ),
];

const SUDO: &[&str] = &[
    "--auth-type",
    "--chdir",
    "--chroot",
    "--close-from",
    "--command-timeout",
    "--group",
    "--host",
    "--login-class",
    "--other-user",
    "--prompt",
    "--role",
    "--type",
    "--user",
];

const fn row(
    names: &'static [&'static str],
    flags: &'static str,
    values: &'static str,
    long_values: &'static [&'static str],
    operands: usize,
    inner: Inner,
) -> Wrapper {
    Wrapper {
        names,
        flags,
        values,
        long_values,
        operands,
        inner,
    }
}

pub(super) const XARGS: Wrapper = row(
    &["xargs"],
    "0oprtxeil",
    "adEILnPs",
    &[
        "--arg-file",
        "--delimiter",
        "--max-args",
        "--max-chars",
        "--max-procs",
        "--process-slot-var",
    ],
    0,
    Inner::Program,
);

pub(super) const PARALLEL: Wrapper = row(
    &["parallel"],
    "0kmqtuvXg",
    "aCdEIjLnNPS",
    &[
        "--jobs",
        "--arg-file",
        "--colsep",
        "--delay",
        "--joblog",
        "--results",
        "--tmpdir",
        "--sshlogin",
        "--timeout",
        "--retries",
    ],
    0,
    Inner::ShellWords,
);

pub(super) const ENV: Wrapper = row(
    &["env"],
    "i0v",
    "uCSa",
    &["--unset", "--chdir", "--split-string", "--argv0"],
    0,
    Inner::AfterAssignments,
);
