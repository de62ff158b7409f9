# Prints numbered lines until it is told the last one: a gap or a repetition would show. Then
# it waits for as long as its release has a file 'hold'.
i=0
while [ $i -lt 300 ]; do
    i=$((i + 1))
    echo "line $i" >&2
    sleep 0.01
done
while [ -e hold ]; do sleep 0.05; done
echo '{"lines":300}'
