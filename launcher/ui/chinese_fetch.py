"""The Chinese of downloads through the page: what the tab says, what went wrong, what to press then."""

from __future__ import annotations

FETCH = {
    # the tab
    "This model is not on this machine": "本机没有这个模型",
    "The download was cancelled": "下载已取消",
    "The download stopped": "下载已停止",
    "Download": "下载",
    "Resume": "继续下载",
    "Try again": "重试",
    "Cancel": "取消",
    "Download from {hub}": "从 {hub} 下载",
    "Asking {hub} what there is": "正在向 {hub} 查询",
    "Downloading from {hub}": "正在从 {hub} 下载",
    "Or type: `{command}`": "也可以运行：`{command}`",
    "All who have this page open see this download, and Cancel ends it for all.": (
        "打开此页面的所有人都会看到这次下载；点“取消”会为所有人停止下载。"
    ),
    "Taken by size alone, as the hub gives no hash: {files}": "下载站未提供校验值，只按大小检查：{files}",
    "About {size} come from {hub}.": "约需从 {hub} 下载 {size}。",
    "How large it is, {hub} tells when you press the button.": "点按钮后，由 {hub} 给出大小。",
    "{done} of {size} are here, and are kept.": "共 {size}，已下载 {done}，会保留。",
    "{free} are free on the disk.": "磁盘剩余 {free}。",
    "Download of {name}": "{name} 的下载进度",
    "{done} of {size}": "{done} / {size}",
    "{size} a second": "每秒 {size}",
    "about {time} left": "约剩 {time}",
    "checking {file}": "正在校验 {file}",
    "{minutes} min": "{minutes} 分钟",
    "{hours} h": "{hours} 小时",
    "The launcher did not answer. Press the button again once it runs.": (
        "启动器没有回应。请在它运行后再点一次按钮。"
    ),
    "The launcher did not answer. Add the files again once it runs.": (
        "启动器没有回应。请在它运行后重新添加文件。"
    ),
    # who may
    "There is nothing to download for {name}.": "{name} 没有可下载的内容。",
    "These can be downloaded here: {names}.": "这里可以下载：{names}。",
    "{name} is not on {hub}": "{hub} 上没有 {name}",
    "These have it: {hubs}.": "可以选择：{hubs}。",
    "This page downloads no models.": "此页面不提供模型下载。",
    "It does on this machine alone, or behind a password: {command}": (
        "只有仅限本机访问或设有密码时才提供下载：{command}"
    ),
    "Without a password models are downloaded from this machine alone": "没有设置密码时，只能在本机下载模型",
    "Put a password into a file, and start the launcher with: {command}": (
        "请把密码写入一个文件，并用以下命令启动：{command}"
    ),
    # what went wrong
    "The download of {name} failed: {kind}: {reason}": "{name} 下载失败：{kind}：{reason}",
    "The terminal that runs the page says more. Press Resume to try again.": (
        "详细信息见运行本页面的终端。可以点“继续下载”重试。"
    ),
    "{host} leads to {target}, where no download is: that is not followed": (
        "{host} 把下载转到了 {target}，那里不会有下载内容，因此没有跟随"
    ),
    "HF_HUB_OFFLINE is set: nothing is downloaded from Hugging Face": (
        "设置了 HF_HUB_OFFLINE：不会从 Hugging Face 下载任何内容"
    ),
    "{endpoint} is not an address that can be asked: {reason}": "{endpoint} 不是可以访问的地址：{reason}",
    "{endpoint} does not answer as a hub does when it is asked for {name}": (
        "向 {endpoint} 查询 {name} 时，得到的不是下载站的回答"
    ),
    # on the way to any server
    "{what} ({detail})": "{what}（{detail}）",
    "the proxy does not pass the request on": "代理没有转发请求",
    "no connection was made in time": "连接超时",
    "no connection can be made": "无法建立连接",
    "nothing came for too long": "太久没有收到数据",
    "the connection was cut off": "连接中断",
    "the connection failed": "连接失败",
    "it leads on too many times": "重定向次数过多",
    "it is not an address that can be asked": "不是可以访问的地址",
    "its user, password or host is wrongly written": "其中的用户名、密码或主机名写法有误",
    " through the proxy {proxy} (in {variable})": "（经由 {variable} 中的代理 {proxy}）",
    # from the hub
    "{endpoint} is not reached{through}: {reason}": "无法连接 {endpoint}{through}：{reason}",
    "{endpoint} gives {name} only to those who were let in": "{endpoint} 只把 {name} 提供给获得许可的用户",
    "{endpoint} knows no model {name}, or it is private": "{endpoint} 上没有模型 {name}，或它是私有的",
    "{endpoint} does not give {name}: HTTP {status}": "{endpoint} 没有给出 {name}：HTTP {status}",
    "{name} needs {needed:.1f} MB more in {folder}, and {free:.1f} MB are free there": (
        "{name} 还需要 {needed:.1f} MB 空间（{folder}），而那里只剩 {free:.1f} MB"
    ),
    "The disk of {folder} is full": "{folder} 所在的磁盘已满",
    "{folder} cannot be written: {reason}": "无法写入 {folder}：{reason}",
    "The hub lists a file named {name}, which no file of a model is called": (
        "下载站列出了名为 {name} 的文件，模型文件不会这样命名"
    ),
    "{name} on the hub holds no {part}: it is not a model that the launcher could run": (
        "下载站上的 {name} 缺少 {part}：它不是启动器能运行的模型"
    ),
    "{file} on the hub has {size} bytes, more than the {limit} that such a file may have": (
        "下载站上的 {file} 有 {size} 字节，超过了这类文件的上限 {limit}"
    ),
    "{file} is being downloaded by another program": "另一个程序正在下载 {file}",
    "What came as {file} is not what the hub announced: its size or hash is wrong": (
        "收到的 {file} 与下载站公布的不符：大小或校验值不对"
    ),
    "The download of {file} stopped at {had} of {size} bytes: {reason}": (
        "{file} 的下载停在 {had} / {size} 字节：{reason}"
    ),
    "The hub does not give {file}: HTTP {status}": "下载站没有给出 {file}：HTTP {status}",
    # what to press then
    "Start the launcher without that mirror (unset HF_ENDPOINT), then press {button}.": (
        "请不用该镜像启动（unset HF_ENDPOINT），然后点“{button}”。"
    ),
    "Start the launcher without HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE, then press {button}.": (
        "请去掉 HF_HUB_OFFLINE 和 TRANSFORMERS_OFFLINE 后启动，然后点“{button}”。"
    ),
    "Start the launcher with HF_ENDPOINT or MODELSCOPE_DOMAIN set to an address such as https://example.org, or to nothing.": (
        "请把 HF_ENDPOINT 或 MODELSCOPE_DOMAIN 设为 https://example.org 这样的地址，或不设置，再启动。"
    ),
    "Is a mirror set, or does the launcher's network ask for a login first? Then press {button}.": (
        "是否设置了镜像，或网络需要先登录？处理后点“{button}”。"
    ),
    "Check the connection of the machine that the launcher runs on, then press {button}.": (
        "请检查运行启动器的机器的网络，然后点“{button}”。"
    ),
    "Ask for it at {endpoint}/{name}, type on the launcher's machine: {hf} auth login, then press {button}.": (
        "请在 {endpoint}/{name} 申请，并在启动器所在的机器上运行：{hf} auth login，然后点“{button}”。"
    ),
    "Check the spelling in the preset's sources.": "请检查预设的 sources 中的拼写。",
    "Press {button} in a while.": "请稍后点“{button}”。",
    "Make room there, then press {button}.": "请腾出空间，然后点“{button}”。",
    "Make room there, then press {button}: it goes on where it stopped.": (
        "请腾出空间，然后点“{button}”：会从停下的地方继续。"
    ),
    "Mend that on the launcher's machine, then press {button}.": "请在启动器所在的机器上处理，然后点“{button}”。",
    "Wait for that program, then press {button}.": "请等那个程序结束，然后点“{button}”。",
    "Press {button}: that file is fetched anew. If it stays so, a proxy or mirror spoils it.": (
        "请点“{button}”：会重新下载该文件。如果仍然如此，说明代理或镜像破坏了内容。"
    ),
    "Press {button}: it goes on from there.": "请点“{button}”：会从那里继续。",
    "Press {button}; the hub may give it later.": "请点“{button}”；下载站稍后可能会给出该文件。",
}
