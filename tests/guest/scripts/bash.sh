# bash by itself: arrays, functions, subshells, coprocesses of builtins, traps.
declare -A squares
for i in {1..20}; do squares[$i]=$((i * i)); done
echo "${#squares[@]} ${squares[12]}"
value=outer wrong=0
for i in {1..30}; do
    out=$(value=$i; echo "$value")
    [[ $out == "$i" && $value == outer ]] || ((wrong++))
done
echo "30 substitutions, $wrong wrong"
fib() { (( $1 < 2 )) && { echo "$1"; return; }; echo $(( $(fib $(($1 - 1))) + $(fib $(($1 - 2))) )); }
fib 6
printf '%s\n' {c..a} | while read -r letter; do printf '<%s>' "$letter"; done; echo
mapfile -t lines <<< $'one\ntwo\nthree'; echo "${lines[2]} ${#lines[@]}"
exec 5<<< "from five"; read -r text <&5; echo "$text"
false | true | false; echo "${PIPESTATUS[@]}"
trap 'echo "bye $?"' EXIT
(trap 'echo inner' EXIT; exit 3); echo "subshell $?"
[[ "file-042.txt" =~ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
echo "${value^^} ${value:1:3} ${value/out/inn}"
(sleep_forever() { while :; do read -r -t 1 < /dev/null || return 4; done; }; sleep_forever); echo $?
kill -TERM $BASHPID & wait $!; echo "after wait $?"
exit 9
