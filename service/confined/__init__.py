"""Work that hostile input may blow up, in a child process that can be killed without harm to its parent.

    with Confined(Pictures, what="the drawing of an image") as pictures:
        png = pictures.call(Limits(wall_seconds=20, memory_bytes=1 << 30), Pictures.draw, path, frame)

`Pictures` is made once in the child and stays there; `ConfinedPool` has several such children. Prometheus
counters that the called code counts in the child count like those of every other process.
"""
