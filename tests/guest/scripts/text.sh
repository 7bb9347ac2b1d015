# awk, sort and their kind over generated text.
seq 500 | awk '{ print ($1 * 7919) % 1000, "word" $1 % 13 }' > table
sort -n table | head -n 3; sort -k2,2 -k1,1nr table | head -n 3
awk '{ n[$2] += $1 } END { for (w in n) print w, n[w] }' table | sort
cut -d ' ' -f 2 table | sort | uniq -c | sort -rn | head -n 3
awk 'BEGIN { printf "%.6f %s %d\n", 22 / 7, toupper("pi"), length("four") }'
tr -d '0-9' < table | sort -u; sed -n '5,7p;10q' table; grep -c word1 table
awk 'function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) } BEGIN { print f(15) }'
expr 6 \* 7; echo $((0x10 + 010)); printf '%05d|%-6s|%x\n' 42 left 255
paste -d, table table | tail -n 1; fold -w 10 table | wc -l; head -c 20 table | od -c | head -n 2
