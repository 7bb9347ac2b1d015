# find | xargs, tar | gzip | gunzip, links, renaming, tests on files. $RUN is the
# command that runs busybox, for what executes programs by itself.
mkdir -p tree/a/b tree/c
for i in 1 2 3 4 5 6 7 8 9; do seq "$i" > "tree/a/$i.txt"; done
cp tree/a/9.txt tree/a/b/copy; ln -s ../a/9.txt tree/c/link; ln tree/a/1.txt tree/c/hard
find tree -type f | sort | xargs $RUN wc -l
find tree -name '[1-3].txt' -exec $RUN cat {} + | sort -n | uniq -c
tar cf - tree | gzip > tree.tar.gz
mkdir out; gunzip < tree.tar.gz | tar xf - -C out
diff -r tree out/tree && echo same
cat out/tree/c/link | tail -n 1; readlink out/tree/c/link
mv out/tree moved; [ -d moved ] && [ ! -e out/tree ] && echo moved
rm -r moved; rmdir out; ls; ls tree/a
cmp tree/a/1.txt tree/c/hard && stat -c '%h %s' tree/c/hard
md5sum tree/a/*.txt | sort | head -n 3
dd if=/dev/zero of=zeros bs=1000 count=50 2>/dev/null; wc -c < zeros
chmod 640 zeros; stat -c %a zeros; test -r zeros && echo readable
pwd | sed 's/.*\///' | wc -l; cd tree/a/b; cat copy | head -n 1; cd ../..; ls
