# Here-documents, expanded and not, short and longer than a pipe holds.
name=world
cat <<END
Hello $name, $((6 * 7)), $(echo substituted)
END
cat <<'END'
Not $expanded
END
cat <<-END
	without its tab
	END
long=$(seq 20000)
wc -c <<END
$long
END
read -r first rest <<END
one two three
END
echo "$first / $rest"
