// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;
using Segue.Audio;
using UnityEngine;

namespace Segue
{
    /// <summary>
    /// What `segue bake --format wav` wrote, in a folder of plain files below StreamingAssets; read when it is needed. What is
    /// no plain file (Android), or no WAV, is the business of <see cref="StreamingFiles"/>.
    /// </summary>
    public sealed class BakedFiles : IBakedFiles
    {
        private readonly string _folder;

        /// <summary>On the main thread. Throws DirectoryNotFoundException with what to do.</summary>
        public BakedFiles(string folder)
        {
            _folder = Path.Combine(Application.streamingAssetsPath, folder);
            if (!Directory.Exists(_folder))
                throw new DirectoryNotFoundException(_folder + ": no such folder; `segue bake --out` writes one");
        }

        public byte[] Read(string path) => File.ReadAllBytes(Path.Combine(_folder, path));

        public short[] Decode(string path, byte[] file, out int rate)
        {
            rate = 0;
            return null;
        }
    }
}
