# Pipelines of processes, their exit statuses, jobs in the background.
seq 1000 | grep 7 | sed 's/7/seven /' | tr a-z A-Z | tail -n 3
seq 100 | while read -r n; do echo $((n * n)); done | awk '{ sum += $1 } END { print sum }'
yes | head -n 2
false | true; echo "last of a pipeline: $?"
true | false; echo "last of a pipeline: $?"
(exit 7) & wait $!; echo "background: $?"
for i in 1 2 3; do (echo "job $i" > "job$i") & done; wait; cat job1 job2 job3
sleep 100 & kill $!; wait $!; echo "killed: $?"
trap 'echo caught' USR1; kill -USR1 $$; echo "after the trap"
echo one > out; echo two >> out; cat < out; { echo err >&2; } 2> err; cat err
seq 20000 | sort -rn | head -n 1
echo abc | tee copy | rev; cat copy
