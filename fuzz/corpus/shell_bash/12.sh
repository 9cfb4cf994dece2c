echo $'\x41' "\$(x)" 'q' \
 z # comment