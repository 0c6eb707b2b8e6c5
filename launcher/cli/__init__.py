"""The terminal: one file a command; owns the exit codes and the only catch of what a person should not see as
a traceback.

exit  when
0     done
1     a defect of the launcher (``--debug`` shows the traceback); or the system refuses something (a full
      disk, an output that is closed, a folder that is gone); or the reader of the output left (not a word)
2     wrong arguments, or a preset file is wrong
3-10  as ``launcher.errors`` says for each error
129   stopped by SIGHUP: the terminal has ended
130   stopped by Ctrl-C
131   stopped by SIGQUIT (Ctrl-\\)
143   stopped by SIGTERM
"""

from launcher.cli.app import run

__all__ = ["run"]
