// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.Wire;
using UnityEngine;

namespace Segue
{
    /// <summary>What `segue build` wrote of a soundtrack, as an asset: its names, for inspectors and for checks. The main thread's.</summary>
    public sealed class SoundtrackAsset : ScriptableObject
    {
        [SerializeField] private string json = "";

        [NonSerialized] private SoundtrackOutline _outline;
        [NonSerialized] private string _outlineOf;

        /// <summary>The text that `segue build` wrote.</summary>
        public string Json => json;

        /// <summary>What the soundtrack is made of; read once. Throws <see cref="MalformedException"/> if the text is no soundtrack.</summary>
        public SoundtrackOutline Outline
        {
            get
            {
                // An import gives an object that is alive a new text.
                if (!ReferenceEquals(_outlineOf, json))
                {
                    _outline = SoundtrackOutline.Parse(json);
                    _outlineOf = json;
                }
                return _outline;
            }
        }

        /// <summary>The soundtrack's name, which servers know it by.</summary>
        public string Id => Outline.Id;

        /// <summary>An asset from what `segue build` wrote. Throws <see cref="MalformedException"/> that names the key and what was expected.</summary>
        public static SoundtrackAsset Create(string json)
        {
            var outline = SoundtrackOutline.Parse(json);
            var asset = CreateInstance<SoundtrackAsset>();
            asset.json = json;
            asset._outline = outline;
            asset._outlineOf = json;
            return asset;
        }
    }
}
