"""A preset's checkpoint fetched to this machine, for ``launcher pull`` and the page alike; owns from which
hub it comes, where it goes, that it can run here before its weights come, and the downloads that run in the
background.

``plans`` says what is fetched and where to; ``fetch`` is one model's download in a thread, ``fetches`` all of
them, ``states`` what is told of them, ``tally`` and ``pace`` how far and how fast they are. How a file comes
over is ``launcher.downloads``' business, how it is shown the terminal's and the page's.
"""
