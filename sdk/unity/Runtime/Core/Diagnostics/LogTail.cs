// SPDX-License-Identifier: Apache-2.0
#if UNITY_EDITOR || !UNITY_5_3_OR_NEWER
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace Segue
{
    /// <summary>New lines of a file that another process writes. One thread at a time. Part of the editor, not of builds.</summary>
    public sealed class LogTail
    {
        private const int Most = 64 * 1024;
        private readonly string _path;

        /// <param name="position">Where to go on, in bytes: what <see cref="Position"/> was.</param>
        public LogTail(string path, long position = 0)
        {
            _path = path;
            Position = position;
        }

        /// <summary>First byte that has not been read.</summary>
        public long Position { get; private set; }

        /// <summary>Lines that have ended since the last call, the empty ones left out; none while there is no file.</summary>
        /// <param name="isOver">Nothing more is coming: the last line counts even if it has no end.</param>
        public IReadOnlyList<string> Read(bool isOver = false)
        {
            var lines = new List<string>();
            if (!File.Exists(_path)) return lines;
            using (var file = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete))
            {
                if (file.Length < Position) Position = 0;
                file.Seek(Position, SeekOrigin.Begin);
                var bytes = new byte[Most];
                int count = file.Read(bytes, 0, Most), end = count;
                while (end > 0 && bytes[end - 1] != '\n') end--;
                // A line that is longer than all that is read at once is taken in pieces.
                if (end == 0 && (isOver || count == Most)) end = count;
                if (isOver && Position + count == file.Length) end = count;
                Position += end;
                foreach (string line in Encoding.UTF8.GetString(bytes, 0, end).Split('\n'))
                    if (line.Trim().Length > 0) lines.Add(line.TrimEnd());
            }
            return lines;
        }
    }
}
#endif
