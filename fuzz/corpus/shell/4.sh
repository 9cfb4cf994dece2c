cat <<EOF
$(id) `id`
EOF
cat <<'E' >>f 2>&1
x
E