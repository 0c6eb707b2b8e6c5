"""The Chinese of what is said about models on a server: its errors, and what the page tells of it."""

from __future__ import annotations

REMOTE = {
    "Small vision-language models on this machine and on servers elsewhere. Those are sent what you ask them.": (
        "在本机和其他服务器上运行的小型视觉语言模型。向服务器上的模型提问时，问题和图片会发送过去。"
    ),
    "Questions and pictures go to that server.": "问题和图片会发送到该服务器。",
    "Its server is asked with the first question.": "提出第一个问题时才会联系其服务器。",
    "Ready, on its server.": "已就绪，在其服务器上。",
    "Asking its server": "正在联系其服务器",
    "server": "联系服务器",
    "{name} takes the key of {url} from the environment variable {variable}, which is not set": (
        "{name} 从环境变量 {variable} 读取 {url} 的密钥，但该变量没有设置"
    ),
    "Type: export {variable}=…  with the key, in the terminal where the launcher is started; or leave key_env out of the preset where the server asks for none.": (
        "请在启动本程序的终端中运行：export {variable}=…（填入密钥）；如果服务器不需要密钥，请从预设中删去 key_env。"
    ),
    "The server at {url} cannot be reached: {reason}": "无法连接服务器 {url}：{reason}",
    "See that it runs there, and that the preset's url is right. `launcher doctor` asks it again.": (
        "请确认服务器正在运行，且预设中的 url 正确。`launcher doctor` 会重新联系它。"
    ),
    "The server at {url} said nothing for {seconds:.0f} s": "服务器 {url} 已有 {seconds:.0f} 秒没有任何回应",
    "Ask again; the server's own log may say why.": "请再问一次；原因可能写在服务器自己的日志里。",
    "The server at {url} broke off before the answer's end": "服务器 {url} 在回答结束之前中断了连接",
    "The server at {url} said something that is no answer in OpenAI's form: {said}": (
        "服务器 {url} 返回的内容不是 OpenAI 格式的回答：{said}"
    ),
    "The preset's url has to be where such an API begins; mostly it ends in /v1.": (
        "预设中的 url 必须是这种接口的起始地址，通常以 /v1 结尾。"
    ),
    "The server at {url} sent more than {limit} MiB and no end": (
        "服务器 {url} 发送的内容超过 {limit} MiB，仍未结束"
    ),
    "Ask again; if that happens each time, the server is at fault.": (
        "请再问一次；如果每次都这样，则是服务器的问题。"
    ),
    "The server at {url} has no model {model}": "服务器 {url} 没有模型 {model}",
    "Write one that it has for model in the preset: {names}": "请在预设的 model 中填写它有的模型：{names}",
    "{variable} holds characters that no key has": "{variable} 中含有密钥不会有的字符",
    "Type: export {variable}=…  with the key alone, and start the launcher again.": (
        "请运行：export {variable}=…（只填密钥），然后重新启动本程序。"
    ),
    "The server at {url} failed over this answer: {said}": "服务器 {url} 在回答时出错：{said}",
    "The server at {url} ended the answer for another reason: {reason}": (
        "服务器 {url} 因其他原因结束了回答：{reason}"
    ),
    "The server at {url} sends on to {location}, which is not followed": (
        "服务器 {url} 要求转到 {location}，本程序不会跟随"
    ),
    "If that is where the API is, write it for url in the preset.": (
        "如果接口确实在那里，请把它写进预设的 url。"
    ),
    "The server at {url} has nothing there ({status}): {said}": "服务器 {url} 没有这个地址（{status}）：{said}",
    "The server at {url} refuses the question ({status}): {said}": "服务器 {url} 拒绝了这个问题（{status}）：{said}",
    "Change what it names: in the question, under Advanced, or in the preset.": (
        "请修改它指出的内容：在问题中、「高级」中或预设中。"
    ),
    "The server at {url} failed ({status}): {said}": "服务器 {url} 出错（{status}）：{said}",
    "The server at {url} does not take the key in {variable} ({status}): {said}": (
        "服务器 {url} 不接受 {variable} 中的密钥（{status}）：{said}"
    ),
    "Type: export {variable}=…  with a key that it takes, and start the launcher again.": (
        "请运行：export {variable}=…（填入有效的密钥），然后重新启动本程序。"
    ),
    "The server at {url} asks for a key, and the preset names none ({status}): {said}": (
        "服务器 {url} 需要密钥，而预设没有指定（{status}）：{said}"
    ),
    "Put the key into an environment variable, and the variable's name into the preset, beside url: key_env: NAME": (
        "请把密钥放进一个环境变量，并在预设的 url 旁写上变量名：key_env: NAME"
    ),
    "The server at {url} takes no more questions now: {said}": "服务器 {url} 目前不再接受问题：{said}",
    "Ask again in {seconds:.0f} s.": "请在 {seconds:.0f} 秒后再问。",
    "{variable} is {value}, which is no proxy that can be used": "{variable} 的值是 {value}，不是可用的代理",
    "Write it as http://host:port or socks5://host:port, or go without it: unset {variable}": (
        "请写成 http://host:port 或 socks5://host:port，或不使用代理：unset {variable}"
    ),
    "{variable} is {value}, a SOCKS proxy, and the package for those is not installed": (
        "{variable} 的值是 {value}，这是 SOCKS 代理，而所需的软件包没有安装"
    ),
    "Type: {command}  (or go without the proxy: unset {variable})": (
        "请运行：{command}（或不使用代理：unset {variable}）"
    ),
}
