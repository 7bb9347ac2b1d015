# Two hundred subshells each change a variable and check it; the shell keeps its own.
value=outer
wrong=0
i=0
while [ "$i" -lt 200 ]; do
    (
        value="inner $i"
        [ "$value" = "inner $i" ] || exit 1
        exit $((i % 100 + 1))
    )
    [ $? -eq $((i % 100 + 1)) ] || wrong=$((wrong + 1))
    [ "$value" = outer ] || wrong=$((wrong + 1))
    i=$((i + 1))
done
echo "200 subshells, $wrong wrong, value is $value"
# Nested, and as command substitutions.
echo "$(echo a; (echo b; (echo c; value=deep; echo "$value"); echo "$value"))"
