# Deletes the files that Podcap wrote in the folder $1, and then the folders that are empty. It deletes nothing else.
set -eu
cd "$1"
folder='\./[a-z0-9-]{1,63}_[a-z0-9.-]+_[A-Za-z0-9-]{1,36}'
frozen="$folder/frozen-[1-9][0-9]{0,8}"
capture='captres-[a-z0-9.-]+\.[0-9]{1,9}\.pcap[0-9]{1,9}'
record='(capture\.[0-9]{1,9}|pod-end|requested-by|recording|freezes|frozen)\.json'
# What was being written when an agent was killed.
unfinished='(\.[0-9a-f]{12})?\.new'
find . -mindepth 2 -maxdepth 3 -type f -regextype posix-extended \
  -regex "($folder|$frozen)/($capture|$record)($unfinished)?" -delete
find . -mindepth 2 -maxdepth 2 -type d -empty -regextype posix-extended -regex "$frozen" -delete
find . -mindepth 1 -maxdepth 1 -type d -empty -regextype posix-extended -regex "$folder" -delete
rm -f .captured-pods.json .captured-pods.json.new .deleted-recordings.json .deleted-recordings.json.new
